//! What the pages say about databases and a store of one's own, on such.

use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::process::{Command, Stdio};

use serde_json::json;
use waybill_test_services::postgres::Setup;
use waybill_test_services::s3::{ACCESS_KEY_ID, BUCKET, S3, SECRET_ACCESS_KEY};

use crate::harness::documents::blocks;
use crate::harness::documents::terminals::Terminals;
use crate::harness::http::Http;
use crate::harness::reports::export_of;

/// What the page takes for granted: a table of orders, with those of the catalog's page.
const ORDERS: &str = "
CREATE TABLE orders (id integer PRIMARY KEY, org text, placed_at timestamptz, country text, cents integer);
INSERT INTO orders VALUES
  (1, 'org_demo', '2026-11-01T09:30:00Z', 'FR', 1999), (2, 'org_demo', '2026-11-02T10:00:00Z', 'DE', 4900),
  (3, 'org_demo', '2026-11-02T11:15:00Z', 'FR', 250), (4, 'org_other', '2026-11-03T08:00:00Z', 'FR', 777)";

#[tokio::test]
async fn an_installation_of_ones_own_is_set_up_as_the_page_says() {
    // Roles belong to a whole cluster.
    let cluster = Setup::new().start();
    let (ledger, shop) = (cluster.database(), cluster.database());
    shop.psql(ORDERS);
    let store = S3::shared();
    let mut terminals = Terminals::new();
    let mut secret = None;
    let catalog = blocks("docs/CATALOG.md");
    let mut catalog = catalog.iter();
    let catalog = catalog.find(|block| block.file() == Some(("shop.toml", false)));
    terminals.write(catalog.expect("a catalog"), "shop.toml", false);
    for block in blocks("docs/OPERATING.md") {
        let own = block.is_of_own_installation();
        match block.language.as_str() {
            "sql" if own => drop(shop.psql(&block.text)),
            "toml" if own => {
                let bucket = format!(
                    "\"{BUCKET}\"\nendpoint = \"{}\"\naccess_key_id = \"{ACCESS_KEY_ID}\"\n\
                     secret_access_key = \"{SECRET_ACCESS_KEY}\"",
                    store.endpoint()
                );
                let settings = set(&block.text, "url = \"postgres://waybill", &ledger.url());
                let settings = set(
                    &settings,
                    "url = \"postgres://reports",
                    &shop.url_of("reports:secret"),
                );
                let settings = settings.replace("\"my-exports\"", &bucket);
                fs::write(terminals.folder().join("waybill.toml"), settings).expect("settings");
            }
            "sh" if own => {
                if let Some(printed) = terminals.run(&block) {
                    secret = printed.lines().last().map(str::to_owned);
                }
            }
            _ => {}
        }
    }
    assert_eq!(terminals.services(), 2, "an API and a worker");
    let secret = secret.expect("the key is printed last");
    let security = blocks("docs/SECURITY.md");
    let expression = security
        .iter()
        .find(|block| block.left_out() == Some("an expression"));
    let expression = expression.expect("an expression for keys").text.trim();
    let found = Command::new("grep")
        .args(["-qP", expression])
        .stdin(holding(&secret))
        .status();
    assert!(
        found.is_ok_and(|status| status.success()),
        "{expression} finds no key"
    );
    let http = Http::new(&terminals.url_of("localhost:8080")).with_key(&secret);
    let query = json!({
        "dataset": "orders", "dimensions": ["country"], "measures": ["orders", "cents"],
        "time_range": {"from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z"},
        "order_by": [{"dimension": "country"}],
    });
    let (_, file) = http.exported(&export_of(&query)).await;
    assert_eq!(file, b"country,orders,cents\nDE,1,4900\nFR,2,2249\n");
}

/// The settings with another value in the line that begins so.
fn set(settings: &str, begin: &str, value: &str) -> String {
    let (name, _) = begin.split_once(' ').expect("a name");
    let lines = settings.lines().map(|line| {
        if line.starts_with(begin) {
            format!("{name} = \"{value}\"")
        } else {
            line.to_owned()
        }
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// The text as a command's input.
fn holding(text: &str) -> Stdio {
    let mut file: File = tempfile::tempfile().expect("a file");
    let written = file.write_all(text.as_bytes()).and_then(|()| file.rewind());
    written.expect("it is written");
    Stdio::from(file)
}
