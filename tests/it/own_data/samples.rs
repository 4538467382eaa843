//! A file of the nine types and the texts that are awkward, beside rows of others, and what of it a report shows.

use std::fs;

use rusqlite::{Connection, params};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::launch::Launch;
use crate::harness::server::Server;
use crate::harness::truth::Cell;

const CATALOG: &str = r#"
[datasets.samples]
description = "Every type, and what is awkward about it"
table = "order"
grain = "row"
tenant = "group"
time = "at"
updated = "changed_at"

[datasets.samples.dimensions]
id = { sql = "id", type = "integer" }
s = { sql = "s", type = "string" }
i = { sql = "i", type = "integer" }
f = { sql = "f", type = "float" }
d = { sql = "d", type = "decimal" }
b = { sql = "b", type = "boolean" }
t = { sql = "t", type = "timestamp" }
day = { sql = "day", type = "date" }
u = { sql = "u", type = "uuid" }
j = { sql = "j", type = "json" }

[datasets.totals]
table = "order"
grain = "aggregate"
tenant = "group"
time = "at"

[datasets.totals.dimensions]
s = { sql = "s", type = "string" }
parity = { sql = "id % 2", type = "integer" }

[datasets.totals.measures]
entries = { sql = "count(*)", type = "integer" }
largest = { sql = "max(i)", type = "integer" }

[datasets.totals.filters]
b = { sql = "b", type = "boolean" }
upper = { sql = "upper(s)", type = "string" }

[datasets.everyones]
sql = "SELECT id, at FROM \"order\" /* all of them */"
grain = "row"
shared = true
time = "at"

[datasets.everyones.dimensions]
id = { sql = "id", type = "integer" }

[datasets.for_viewers]
table = "order"
grain = "row"
tenant = "group"
time = "at"
roles = ["viewer"]

[datasets.for_viewers.dimensions]
id = { sql = "id", type = "integer" }

[datasets.wrong]
table = "order"
grain = "row"
tenant = "group"
time = "at"

[datasets.wrong.dimensions]
s = { sql = "s", type = "integer" }

[datasets.missing]
table = "short_lived"
grain = "row"
tenant = "group"
time = "at"

[datasets.missing.dimensions]
id = { sql = "id", type = "integer" }
"#;

/// One row as it is stored, and as a file must show it.
pub(super) struct Sample {
    pub(super) s: Option<&'static str>,
    pub(super) i: Option<i64>,
    pub(super) f: Option<f64>,
    pub(super) d: Option<&'static str>,
    pub(super) b: Option<bool>,
    pub(super) t: Option<&'static str>,
    pub(super) day: Option<&'static str>,
    pub(super) u: Option<&'static str>,
    pub(super) j: Option<&'static str>,
    /// `f`, `d`, `t`, `u` and `j` in the file, where that is not what is stored.
    pub(super) shown: [Option<&'static str>; 5],
}

const NOTHING: Sample = Sample {
    s: None,
    i: None,
    f: None,
    d: None,
    b: None,
    t: None,
    day: None,
    u: None,
    j: None,
    shown: [None; 5],
};

pub(super) fn samples() -> Vec<Sample> {
    let mut samples = vec![
        NOTHING,
        Sample {
            s: Some(""),
            i: Some(0),
            f: Some(0.1),
            d: Some("0.00"),
            b: Some(false),
            t: Some("2026-05-01T00:00:00Z"),
            day: Some("2026-05-01"),
            u: Some("01930000-0000-7000-8000-00000000abcd"),
            j: Some("{}"),
            shown: [Some("0.1"), None, None, None, None],
        },
        Sample {
            s: Some("plain"),
            i: Some(i64::MAX),
            f: Some(-2.5),
            d: Some("-12.50"),
            b: Some(true),
            t: Some("2026-05-01 12:34:56.500"),
            day: Some("0001-01-01"),
            u: Some("01930000-0000-7000-8000-00000000ABCD"),
            j: Some("{ \"b\": [1, 2.50, null, true], \"a\": \"x, \\\"y\\\"\" }"),
            shown: [
                Some("-2.5"),
                None,
                Some("2026-05-01T12:34:56.5Z"),
                Some("01930000-0000-7000-8000-00000000abcd"),
                Some(r#"{"b":[1,2.50,null,true],"a":"x, \"y\""}"#),
            ],
        },
        Sample {
            s: Some("=1+1"),
            i: Some(i64::MIN),
            f: Some(f64::INFINITY),
            d: Some("123456789012345678901234567890.123456789"),
            t: Some("2026-05-01T02:00:00.000001+02:00"),
            day: Some("9999-12-31"),
            j: Some("[]"),
            shown: [
                Some("Infinity"),
                None,
                Some("2026-05-01T00:00:00.000001Z"),
                None,
                None,
            ],
            ..NOTHING
        },
        Sample {
            s: Some("-5"),
            i: Some(-5),
            f: Some(f64::NEG_INFINITY),
            d: Some("-5"),
            t: Some("2026-05-01T23:59:59.999999Z"),
            day: Some("2024-02-29"),
            j: Some("-5"),
            shown: [Some("-Infinity"), None, None, None, None],
            ..NOTHING
        },
        Sample {
            f: Some(1234.5678),
            d: Some("1.0"),
            j: Some("\"=text\""),
            t: Some("1969-12-31T23:59:59.25Z"),
            shown: [Some("1234.5678"), None, None, None, None],
            ..NOTHING
        },
    ];
    let texts = [
        "+1",
        "@SUM(A1)",
        "\tTAB first",
        "\rCR first",
        "\nLF first",
        "'=quoted already",
        " =space first",
        "a,b",
        "a;b",
        "say \"hi\"",
        "\"",
        "\"\"",
        "line\nbreak",
        "Windows\r\nbreak",
        "carriage\rreturn",
        " leading and trailing ",
        "NULL",
        "null",
        "\\N",
        "\\",
        "back\\slash, comma",
        "#comment",
        "größer 議事録 🚀 e\u{301}",
        "\u{feff}mark",
        "\u{202e}right to left",
        "0123",
        "1e5",
        "true",
        "''; DROP TABLE \"order\"; --",
        "\u{1}\u{7f}",
        "\u{2028}",
        "%s %d {}",
        "\u{feff}-mark first",
        "\u{a0}=no-break space first",
        " \tspace and TAB first",
        "＝1+1",
        "（1",
    ];
    samples.extend(texts.map(|s| Sample {
        s: Some(s),
        ..NOTHING
    }));
    samples
}

/// A server on a file with these samples, and with rows of somebody else between them.
pub(super) fn server_with(samples: &[Sample], launch: Launch) -> (Server, TempDir) {
    let folder = TempDir::new().expect("a folder for the test");
    let path = folder.path().join("own.db");
    write(&path, samples).expect("SQLite writes the rows");
    let catalog = folder.path().join("catalog.toml");
    fs::write(&catalog, CATALOG).expect("the catalog is written");
    let server = launch.own_data(&path, &catalog).start();
    (server, folder)
}

fn write(path: &std::path::Path, samples: &[Sample]) -> rusqlite::Result<()> {
    let mut connection = Connection::open(path)?;
    connection.execute_batch(
        "CREATE TABLE \"order\" (
            id INTEGER PRIMARY KEY, \"group\" TEXT NOT NULL, at TEXT NOT NULL, changed_at TEXT NOT NULL,
            s TEXT, i INTEGER, f REAL, d TEXT, b INTEGER, t TEXT, day TEXT, u TEXT, j TEXT
        );
        CREATE TABLE short_lived (id INTEGER, \"group\" TEXT, at TEXT);",
    )?;
    let transaction = connection.transaction()?;
    for (number, sample) in (0_i64..).zip(samples) {
        for (offset, organisation) in [(1, "org_demo"), (1_000, "org_demo "), (2_000, "org_else")] {
            transaction.execute(
                "INSERT INTO \"order\" VALUES
                 (?1, ?2, '2026-05-01T10:00:00Z', '2026-05-02T10:00:00Z', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                params![
                    number + offset, organisation, sample.s, sample.i, sample.f, sample.d, sample.b,
                    sample.t, sample.day, sample.u, sample.j,
                ],
            )?;
        }
    }
    transaction.commit()
}

pub(super) fn query(dataset: &str, dimensions: &[&str]) -> Value {
    json!({
        "dataset": dataset,
        "time_range": {"from": "2026-05-01T00:00:00Z", "to": "2026-05-02T00:00:00Z"},
        "dimensions": dimensions,
        "order_by": dimensions.first().map(|first| json!([{"dimension": first}])).unwrap_or(json!([])),
        "limit": null,
    })
}

pub(super) const COLUMNS: [&str; 10] = ["id", "s", "i", "f", "d", "b", "t", "day", "u", "j"];

pub(super) fn expected_rows(samples: &[Sample]) -> Vec<Vec<Cell>> {
    let plain = |stored: Option<&str>, shown: Option<&str>| match shown.or(stored) {
        Some(text) => Cell::plain(text),
        None => Cell::Null,
    };
    samples
        .iter()
        .enumerate()
        .map(|(number, sample)| {
            let [f, d, t, u, j] = sample.shown;
            vec![
                Cell::plain(number + 1),
                sample.s.map_or(Cell::Null, Cell::text),
                sample.i.map_or(Cell::Null, Cell::plain),
                plain(None, f),
                plain(sample.d, d),
                sample.b.map_or(Cell::Null, Cell::plain),
                plain(sample.t, t),
                plain(sample.day, None),
                plain(sample.u, u),
                plain(sample.j, j),
            ]
        })
        .collect()
}
