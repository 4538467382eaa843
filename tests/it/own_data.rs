//! A user's own SQLite file and catalog: all nine types, hostile texts, NULLs, and what a catalog may
//! restrict.

use std::fs;

use rusqlite::{Connection, params};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::http::{EXPORT, QUERY, RESPOND_ASYNC, text};
use crate::harness::launch::Launch;
use crate::harness::reports::{export_of, with};
use crate::harness::server::Server;
use crate::harness::truth::{Cell, csv};

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
struct Sample {
    s: Option<&'static str>,
    i: Option<i64>,
    f: Option<f64>,
    d: Option<&'static str>,
    b: Option<bool>,
    t: Option<&'static str>,
    day: Option<&'static str>,
    u: Option<&'static str>,
    j: Option<&'static str>,
    /// `f`, `d`, `t`, `u` and `j` in the file, where that is not what is stored.
    shown: [Option<&'static str>; 5],
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

fn samples() -> Vec<Sample> {
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
fn server_with(samples: &[Sample], launch: Launch) -> (Server, TempDir) {
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

fn query(dataset: &str, dimensions: &[&str]) -> Value {
    json!({
        "dataset": dataset,
        "time_range": {"from": "2026-05-01T00:00:00Z", "to": "2026-05-02T00:00:00Z"},
        "dimensions": dimensions,
        "order_by": dimensions.first().map(|first| json!([{"dimension": first}])).unwrap_or(json!([])),
        "limit": null,
    })
}

const COLUMNS: [&str; 10] = ["id", "s", "i", "f", "d", "b", "t", "day", "u", "j"];

fn expected_rows(samples: &[Sample]) -> Vec<Vec<Cell>> {
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

#[tokio::test]
async fn all_nine_types_are_written_byte_for_byte_as_specified() {
    let samples = samples();
    let (server, _folder) = server_with(&samples, Launch::new());
    let http = server.http();
    let body = export_of(&query("samples", &COLUMNS));
    let expected = csv(&COLUMNS, &expected_rows(&samples));

    let inline = http.post(EXPORT, &body).await.content();
    assert_eq!(inline, String::from_utf8(expected.clone()).expect("UTF-8"));
    let streamed = http
        .post_with(EXPORT, &[("accept", "text/csv")], &body)
        .await
        .expect(200);
    assert!(streamed.body == expected, "the streamed file");
    let (export, stored) = http.exported(&body).await;
    assert!(stored == expected, "the stored object");
    assert_eq!(export["row_count"], samples.len(), "and nobody else's rows");
    assert_eq!(export["source_updated_at"], "2026-05-02T10:00:00Z");
}

#[tokio::test]
async fn json_keeps_values_and_every_digit() {
    let samples = samples();
    let (server, _folder) = server_with(&samples, Launch::new());
    let answer = server
        .http()
        .post(QUERY, &with(query("samples", &COLUMNS), "limit", 100))
        .await;
    let report = answer.expect(200).json();
    let types: Vec<String> = report["columns"]
        .as_array()
        .expect("columns")
        .iter()
        .map(|column| text(&column["type"]))
        .collect();
    let expected = [
        "integer",
        "string",
        "integer",
        "float",
        "decimal",
        "boolean",
        "timestamp",
        "date",
        "uuid",
        "json",
    ];
    assert_eq!(types, expected);
    let rows = report["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), samples.len());
    for (row, sample) in rows.iter().zip(&samples) {
        let [_, _, t, u, _] = sample.shown;
        assert_eq!(row["s"], json!(sample.s));
        assert_eq!(row["i"], json!(sample.i));
        assert_eq!(row["b"], json!(sample.b));
        assert_eq!(row["day"], json!(sample.day));
        assert_eq!(row["t"], json!(t.or(sample.t)));
        assert_eq!(row["u"], json!(u.or(sample.u)));
        // Infinities are no JSON.
        assert_eq!(
            row["f"].as_f64(),
            sample.f.filter(|float| float.is_finite())
        );
        match sample.d {
            Some(digits) => assert_eq!(row["d"].to_string(), digits),
            None => assert!(row["d"].is_null()),
        }
        let stored: Value = sample
            .j
            .map_or(Value::Null, |j| serde_json::from_str(j).expect("JSON"));
        assert_eq!(row["j"], stored);
    }
}

#[tokio::test]
async fn filters_compare_as_their_type_does() {
    let samples = samples();
    let (server, _folder) = server_with(&samples, Launch::new());
    let http = server.http();
    for (field, op, value, ids) in [
        ("i", "eq", json!(i64::MIN), vec![4]),
        ("i", "eq", json!(i64::MAX), vec![3]),
        ("i", "in", json!([0, -5]), vec![2, 5]),
        ("f", "gt", json!(1000), vec![4, 6]),
        ("f", "lte", json!(0.1), vec![2, 3, 5]),
        ("d", "eq", json!(-12.5), vec![3]),
        ("d", "eq", json!(1), vec![6]),
        ("d", "lt", json!(0), vec![3, 5]),
        ("d", "gt", json!(99), vec![4]),
        ("b", "eq", json!(true), vec![3]),
        ("b", "neq", json!(true), vec![2]),
        ("b", "neq", json!(null), vec![2, 3]),
        ("t", "eq", json!("2026-05-01T12:34:56.5Z"), vec![3]),
        ("t", "lt", json!("2026-05-01T00:00:00.000001Z"), vec![2, 6]),
        ("day", "gte", json!("2026-05-01"), vec![2, 4]),
        (
            "u",
            "eq",
            json!("01930000-0000-7000-8000-00000000abcd"),
            vec![2, 3],
        ),
        ("s", "eq", json!("a,b"), vec![14]),
        (
            "s",
            "in",
            json!(["\"", "line\nbreak", "\\"]),
            vec![17, 19, 26],
        ),
        ("s", "eq", json!("''; DROP TABLE \"order\"; --"), vec![35]),
        ("s", "eq", json!("Plain"), vec![]),
        ("j", "neq", json!(null), vec![2, 3, 4, 5, 6]),
    ] {
        let filters = json!([{"field": field, "op": op, "value": value}]);
        let filtered = with(query("samples", &["id"]), "filters", filters.clone());
        let content = http.post(EXPORT, &export_of(&filtered)).await.content();
        let found: Vec<u64> = content
            .lines()
            .skip(1)
            .map(|line| line.parse().expect("an id"))
            .collect();
        assert_eq!(found, ids, "{filters}");
    }
}

#[tokio::test]
async fn aggregates_of_ones_own_are_grouped_and_filtered() {
    let samples = samples();
    let (server, _folder) = server_with(&samples, Launch::new());
    let http = server.http();
    let mut totals = query("totals", &["parity"]);
    totals["measures"] = json!(["entries", "largest"]);
    let content = http.post(EXPORT, &export_of(&totals)).await.content();
    let odd = samples.len().div_ceil(2);
    let even = samples.len() / 2;
    assert_eq!(
        content,
        format!("parity,entries,largest\n0,{even},0\n1,{odd},{}\n", i64::MAX)
    );
    // The only filters are those that the catalog lists.
    totals["filters"] = json!([{"field": "upper", "op": "eq", "value": "PLAIN"}]);
    let content = http.post(EXPORT, &export_of(&totals)).await.content();
    assert_eq!(
        content,
        format!("parity,entries,largest\n1,1,{}\n", i64::MAX)
    );
    totals["filters"] = json!([{"field": "s", "op": "eq", "value": "plain"}]);
    http.post(EXPORT, &export_of(&totals))
        .await
        .problem(400, "invalid_query");
}

#[tokio::test]
async fn a_catalog_decides_who_sees_what() {
    let samples = samples();
    let (server, _folder) = server_with(&samples, Launch::new());
    let http = server.http();
    let catalog = http.get("/v1/reports/catalog").await.expect(200).json();
    let names: Vec<String> = catalog["datasets"]
        .as_array()
        .expect("datasets")
        .iter()
        .map(|d| text(&d["name"]))
        .collect();
    assert_eq!(
        names,
        ["everyones", "missing", "samples", "totals", "wrong"]
    );

    // Everyone in `up` is an admin.
    let body = export_of(&query("for_viewers", &["id"]));
    http.post(EXPORT, &body).await.problem(403, "forbidden");
    http.post_with(EXPORT, &[RESPOND_ASYNC], &body)
        .await
        .problem(403, "forbidden");
    http.post(QUERY, &with(query("for_viewers", &["id"]), "limit", 5))
        .await
        .problem(403, "forbidden");

    // Shared data has no organisation.
    let report = http
        .post(EXPORT, &export_of(&query("everyones", &["id"])))
        .await
        .report_export();
    assert_eq!(report["row_count"], samples.len() * 3);
    assert!(
        report.get("source_updated_at").is_none(),
        "no update column, no freshness"
    );
    assert!(
        report.get("freshness_lag_ms").is_none(),
        "no update column, no freshness"
    );
}

#[tokio::test]
async fn an_export_that_cannot_be_read_fails_with_a_reason_and_no_internals() {
    let samples = samples();
    let (server, folder) = server_with(&samples, Launch::new().env("EXPORTS__MAX_ATTEMPTS", 1));
    let http = server.http();
    // The catalog fitted when the process started.
    Connection::open(folder.path().join("own.db"))
        .and_then(|source| source.execute_batch("DROP TABLE short_lived"))
        .expect("the table goes");
    for (dataset, column) in [("wrong", "s"), ("missing", "id")] {
        let body = export_of(&query(dataset, &[column]));
        let id = text(&http.submit(&body).await["id"]);
        let export = http.export_once(&id, "failed").await;
        let error = &export["error"];
        for member in ["title", "code"] {
            assert!(error[member].is_string(), "{member} in {export:#}");
        }
        assert!(error["status"].is_u64(), "{export:#}");
        let shown = error.to_string();
        let path = folder.path().display().to_string();
        for internal in ["SELECT", "short_lived", "sqlite", path.as_str()] {
            assert!(!shown.contains(internal), "{internal} in {shown}");
        }
        // A value of the wrong type is the data's fault, a table that is gone the installation's.
        let (status, code) = match dataset {
            "wrong" => (400, "value_unrepresentable"),
            _ => (500, "internal"),
        };
        let problem = http.post(EXPORT, &body).await.problem(status, code);
        let shown = problem.to_string();
        for internal in ["SELECT", "short_lived", path.as_str()] {
            assert!(!shown.contains(internal), "{internal} in {shown}");
        }
    }
    // The server is well.
    http.post(EXPORT, &export_of(&query("samples", &["id"])))
        .await
        .report_export();
}

#[tokio::test]
async fn an_export_shows_one_snapshot_and_the_next_one_what_has_changed() {
    let samples = samples();
    let (server, folder) = server_with(&samples, Launch::new());
    let http = server.http();
    let body = export_of(&query("samples", &["id", "s"]));
    let (first, _) = http.exported(&body).await;
    let connection = Connection::open(folder.path().join("own.db")).expect("the file opens");
    connection
        .execute(
            "INSERT INTO \"order\" (id, \"group\", at, changed_at, s)
             VALUES (500, 'org_demo', '2026-05-01T10:00:00Z', '2026-05-03T10:00:00Z', 'new')",
            [],
        )
        .expect("the file can be written while it is served");
    let (second, file) = http.exported(&body).await;
    assert_eq!(second["row_count"], samples.len() + 1);
    assert!(file.ends_with(b"500,new\n"));
    assert_eq!(second["source_updated_at"], "2026-05-03T10:00:00Z");
    // The first one is what it was.
    let first_again = http.export(&text(&first["id"])).await;
    assert_eq!(first_again["row_count"], samples.len());
    assert_eq!(first_again["checksum"], first["checksum"]);
    http.file_of(&first_again).await;
}

#[tokio::test]
async fn a_dataset_may_go_without_the_formula_guard() {
    const NUMBERS: [&str; 3] = ["+49 30 1234", "-P1D", "=1+1"];
    let folder = TempDir::new().expect("a folder for the test");
    let (database, catalog) = (folder.path().join("a.db"), folder.path().join("a.toml"));
    let rows = NUMBERS.map(|number| format!("('org_demo', '2026-05-01T00:00:00Z', '{number}')"));
    let made = Connection::open(&database).and_then(|connection| {
        connection.execute_batch(&format!(
            "CREATE TABLE phones (id INTEGER PRIMARY KEY, org TEXT, at TEXT, number TEXT);
             INSERT INTO phones (org, at, number) VALUES {}",
            rows.join(",")
        ))
    });
    made.expect("SQLite writes the rows");
    let dataset = |name: &str, more: &str| {
        format!(
            "[datasets.{name}]\ntable = \"phones\"\ngrain = \"row\"\ntenant = \"org\"\ntime = \"at\"\n{more}\n\
             [datasets.{name}.dimensions]\nid = {{ sql = \"id\", type = \"integer\" }}\n\
             number = {{ sql = \"number\", type = \"string\" }}\n"
        )
    };
    let text = dataset("guarded", "") + &dataset("bare", "formula_guard = false");
    fs::write(&catalog, text).expect("the catalog is written");
    let server = Launch::new().own_data(&database, &catalog).start();
    let http = server.http();
    for (dataset, mark) in [("guarded", "'"), ("bare", "")] {
        let query = json!({
            "dataset": dataset,
            "time_range": {"from": "2026-05-01T00:00:00Z", "to": "2026-05-02T00:00:00Z"},
            "dimensions": ["id", "number"],
            "order_by": [{"dimension": "id"}],
        });
        let cells = NUMBERS.iter().zip(1..);
        let cells: Vec<String> = cells
            .map(|(number, id)| format!("{id},{mark}{number}\n"))
            .collect();
        let expected = format!("id,number\n{}", cells.concat());
        let body = export_of(&query);
        assert_eq!(http.post(EXPORT, &body).await.content(), expected);
        let (_, file) = http.exported(&body).await;
        assert_eq!(String::from_utf8_lossy(&file), expected);
    }
}
