//! `docs/METRICS.md` is what an API process and a worker process say of themselves. The test that holds the two
//! together writes the page anew where `WAYBILL_REWRITE` is set.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Write as _;
use std::fs;

use crate::harness::documents::{root, text_of};
use crate::harness::launch::Launch;

const PAGE: &str = "docs/METRICS.md";
const REWRITE: &str = "WAYBILL_REWRITE";

const HEAD: &str = "\
# Metrics

What `/metrics` of a real process says: its names, help texts, units and labels. This page is written by a test, which fails
when it is stale and says how to write it anew ([CONTRIBUTING.md](CONTRIBUTING.md#documents-are-tests)). What to scrape, and how
to sum it up, is in [OPERATING.md](OPERATING.md#metrics-and-status), with [alerts](OPERATING.md#alerts-worth-having).

A name in this page is that of the samples in a query. A histogram has `_bucket`, `_sum` and `_count` behind it. `operation` is
one of the [routes](API.md#routes) or `none`, `code` one of the [codes](API.md#errors) or `none`. Every series is there from
the start of a process, but for `waybill_http_requests_total`, whose series begin with their first request.
`waybill up` is an API process and a worker process in one.
";

/// What a name says about whose number it is, in the order of the page.
const GROUPS: [(&str, &str); 7] = [
    ("http", "Of one process: the requests that it answers"),
    (
        "inline",
        "Of one API process: reports that are answered at once",
    ),
    ("worker", "Of one worker process: exports"),
    ("store", "Of one worker process: the store"),
    ("rescue", "Of one worker process: what others left"),
    ("ledger", "Of the whole installation: take the `max`"),
    ("", "Of one process: itself"),
];

/// Labels whose values the page tells by a link.
const OPEN: [&str; 5] = ["code", "method", "operation", "status", "version"];

#[derive(Debug, Default, PartialEq, Eq)]
struct Family {
    kind: String,
    unit: String,
    help: String,
    /// The name that its samples have, less what a histogram adds.
    sample: String,
    labels: BTreeMap<String, BTreeSet<String>>,
}

/// The families of an exposition by their names.
fn families(exposition: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut name = String::new();
    for line in exposition.lines().filter(|line| *line != "# EOF") {
        let Some(described) = line.strip_prefix("# ") else {
            let family = families
                .get_mut(&name)
                .expect("a family before its samples");
            add_sample(family, &name, line);
            continue;
        };
        let mut words = described.splitn(3, ' ');
        let (what, named, text) = (words.next(), words.next(), words.next().unwrap_or_default());
        named.expect("a name").clone_into(&mut name);
        let family = families.entry(name.clone()).or_default();
        match what {
            Some("HELP") => text.clone_into(&mut family.help),
            Some("TYPE") => text.clone_into(&mut family.kind),
            Some("UNIT") => text.clone_into(&mut family.unit),
            _ => panic!("{line}"),
        }
    }
    families
}

fn add_sample(family: &mut Family, name: &str, line: &str) {
    let (series, _) = line.rsplit_once(' ').expect("a value");
    let (sample, labels) = series.split_once('{').unwrap_or((series, ""));
    family.sample = match family.kind.as_str() {
        "histogram" => name.to_owned(),
        _ => sample.to_owned(),
    };
    let labels = labels
        .trim_end_matches('}')
        .split("\",")
        .filter(|label| !label.is_empty());
    for label in labels {
        let (label, value) = label.split_once("=\"").expect("a value in quotes");
        if label != "le" {
            let values = family.labels.entry(label.to_owned()).or_default();
            values.insert(value.trim_end_matches('"').to_owned());
        }
    }
}

/// The page for what the two kinds of processes say.
fn page(api: &BTreeMap<String, Family>, worker: &BTreeMap<String, Family>) -> String {
    let mut page = HEAD.to_owned();
    let names: BTreeSet<&String> = api.keys().chain(worker.keys()).collect();
    for (group, title) in GROUPS {
        let of_group = names.iter().filter(|name| group_of(name) == group);
        let _ = write!(
            page,
            "\n## {title}\n\n| metric | kind | served by | says |\n|---|---|---|---|\n"
        );
        for name in of_group {
            let family = worker
                .get(*name)
                .or(api.get(*name))
                .expect("one of the two has it");
            let served_by = match (api.contains_key(*name), worker.contains_key(*name)) {
                (true, true) => "both",
                (true, false) => "api",
                _ => "worker",
            };
            write_row(&mut page, family, served_by);
        }
    }
    page
}

fn group_of(name: &str) -> &'static str {
    let group = name.split('_').nth(1).unwrap_or_default();
    let found = GROUPS.iter().find(|(known, _)| *known == group);
    found.map_or("", |(known, _)| known)
}

fn write_row(page: &mut String, family: &Family, served_by: &str) {
    let Family {
        kind,
        unit,
        help,
        sample,
        labels,
    } = family;
    let names: Vec<&str> = labels.keys().map(String::as_str).collect();
    let labelled = match names.as_slice() {
        [] => String::new(),
        names => format!("{{{}}}", names.join(",")),
    };
    let kind = match unit.as_str() {
        "" => kind.clone(),
        unit => format!("{kind}, {unit}"),
    };
    let _ = write!(
        page,
        "| `{sample}{labelled}` | {kind} | {served_by} | {help}"
    );
    for (label, values) in labels
        .iter()
        .filter(|(label, _)| !OPEN.contains(&label.as_str()))
    {
        let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
        let _ = write!(page, " `{label}`: {}.", values.join(", "));
    }
    page.push_str(" |\n");
}

#[tokio::test]
async fn the_page_of_metrics_is_what_processes_say() {
    let server = Launch::new()
        .worker_env("WORKER__LISTEN", "127.0.0.1:0")
        .start();
    let mut said = Vec::new();
    for http in [server.http(), server.worker_http()] {
        // Only what was asked for once has a series.
        http.get("/livez").await.expect(200);
        said.push(families(http.get("/metrics").await.expect(200).text()));
    }
    let page = page(&said[0], &said[1]);
    if env::var_os(REWRITE).is_some() {
        fs::write(root().join(PAGE), &page).expect("the page is written");
    }
    let stale = page != text_of(PAGE);
    assert!(
        !stale,
        "{PAGE} is stale; write it anew with\n  {REWRITE}=1 cargo test --workspace --locked --test distributed metrics_document\n{page}"
    );
}
