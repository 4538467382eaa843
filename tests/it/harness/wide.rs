//! A table in PostgreSQL whose export has several parts and only one possible content.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;
use waybill_test_services::postgres::{Cluster, Database};

/// Rows of the table; its file has four parts, the last one shorter.
pub(crate) const WIDE_ROWS: usize = 26_000;

/// Characters of each row's text.
const WIDTH: usize = 1_000;

const CATALOG: &str = r#"
[datasets.wide]
table = "wide"
grain = "row"
tenant = "org_id"
time = "at"

[datasets.wide.dimensions]
id = { sql = "id", type = "integer" }
body = { sql = "body", type = "string" }
"#;

/// The table's database and the folder of its catalog; keep it as long as the server.
pub(crate) struct WideSource {
    database: Database<'static>,
    folder: TempDir,
}

impl WideSource {
    pub(crate) fn new() -> Self {
        Self::on(Cluster::shared())
    }

    /// On a server of the test's own.
    pub(crate) fn on(cluster: &'static Cluster) -> Self {
        let database = cluster.database();
        database.psql(&format!(
            "CREATE TABLE wide AS
             SELECT id, 'org_demo' AS org_id, timestamptz '2026-05-01T00:00:00Z' AS at,
                    lpad(id::text, {WIDTH}, '0') AS body
             FROM generate_series(1, {WIDE_ROWS}) AS id;
             CREATE UNIQUE INDEX ON wide (id);
             ANALYZE wide"
        ));
        let folder = TempDir::new().expect("a folder for the test");
        fs::write(folder.path().join("catalog.toml"), CATALOG).expect("the catalog is written");
        Self { database, folder }
    }

    pub(crate) fn database(&self) -> &Database<'static> {
        &self.database
    }

    /// Adds a dataset of the same rows to the catalog, with this name and read from a source of this name.
    pub(crate) fn add_dataset_of_source(&self, name: &str) {
        let another = CATALOG
            .replace("datasets.wide", &format!("datasets.{name}"))
            .replace("grain =", &format!("source = \"{name}\"\ngrain ="));
        let catalog = format!("{CATALOG}{another}");
        fs::write(self.catalog(), catalog).expect("the catalog is written");
    }

    pub(crate) fn catalog(&self) -> PathBuf {
        self.folder.path().join("catalog.toml")
    }
}

/// A query for the first rows.
pub(crate) fn first_rows(rows: usize) -> Value {
    json!({
        "dataset": "wide",
        "time_range": {"from": "2026-05-01T00:00:00Z", "to": "2026-05-02T00:00:00Z"},
        "dimensions": ["id", "body"],
        "order_by": [{"dimension": "id", "direction": "asc"}],
        "limit": rows,
    })
}

/// The file of the first rows.
pub(crate) fn first_lines(rows: usize) -> String {
    let mut file = "id,body\n".to_owned();
    for id in 1..=rows {
        writeln!(file, "{id},{id:0>WIDTH$}").expect("a String takes everything");
    }
    file
}
