#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::types::Value;
use waybill_report::catalog::{Catalog, Dataset, Field, Grain};

use super::sqlite::{ensure, generate, partial_name};
use super::*;

/// A demo in a folder of its own, which is removed when the test ends.
struct Demo {
    connection: Connection,
    folder: PathBuf,
}

impl Demo {
    fn of(test: &str, rows: u64) -> Self {
        let folder = std::env::temp_dir().join(format!("waybill-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        generate(&folder.join("demo.sqlite"), rows).unwrap();
        let connection = Connection::open(folder.join("demo.sqlite")).unwrap();
        Self { connection, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.join("demo.sqlite")
    }

    fn number(&self, sql: &str) -> i64 {
        self.connection
            .query_row(sql, [], |row| row.get(0))
            .unwrap()
    }

    fn text(&self, sql: &str) -> Option<String> {
        self.connection
            .query_row(sql, [], |row| row.get(0))
            .unwrap()
    }

    fn hash(&self) -> u64 {
        let mut hash = DefaultHasher::new();
        let mut statement = self.connection.prepare("SELECT * FROM sessions").unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                let value: Value = row.get(column).unwrap();
                format!("{value:?}").hash(&mut hash);
            }
        }
        hash.finish()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}

#[test]
fn the_same_number_of_rows_is_the_same_data() {
    let (one, two) = (Demo::of("same-1", 500), Demo::of("same-2", 500));
    assert_eq!(one.hash(), two.hash());
    assert_ne!(one.hash(), Demo::of("same-3", 501).hash());
}

/// Whoever changes this row changes everyone's demo, and must raise `VERSION`.
#[test]
fn a_version_is_the_same_data_for_ever() {
    let demo = Demo::of("version", 1000);
    let row = "SELECT concat_ws('|', session_id, status, agent, model, started_at, finished_at,
                                duration_ms, input_tokens, output_tokens, cost_micros, title, updated_at)
               FROM sessions WHERE rowid = 500";
    assert_eq!(VERSION, 1);
    assert_eq!(
        demo.text(row).as_deref(),
        Some(
            "019e09f2-beb9-705c-af59-5ed66c6263ee|cancelled|incident-triage|cirrus-mini|\
             2026-05-08T23:36:04.025828Z|2026-05-09T00:29:39.745828Z|3215720|23701|7603|185148|\
             Windows wrote 82115\r\nthis|2026-05-09T00:29:39.745828Z"
        )
    );
}

#[test]
fn the_other_organisations_come_on_top() {
    for (rows, acme, globex) in [(1000, 125, 62), (16, 2, 1), (1, 1, 1), (0, 0, 0)] {
        let demo = Demo::of("organisations", rows);
        for (organisation, expected) in [
            ("org_demo", i64::try_from(rows).unwrap()),
            ("org_acme", acme),
            ("org_globex", globex),
        ] {
            let count = format!("SELECT count(*) FROM sessions WHERE org_id = '{organisation}'");
            assert_eq!(demo.number(&count), expected, "{organisation} of {rows}");
        }
    }
}

#[test]
fn starts_are_spread_over_thirty_days() {
    let demo = Demo::of("spread", 3000);
    let first = demo.text("SELECT min(started_at) FROM sessions").unwrap();
    let last = demo.text("SELECT max(started_at) FROM sessions").unwrap();
    assert!(first.as_str() >= "2026-04-24T00:00:00.000000Z", "{first}");
    assert!(last.as_str() < "2026-05-24T00:00:00.000000Z", "{last}");
    let days = "SELECT count(DISTINCT substr(started_at, 1, 10)) FROM sessions WHERE org_id = 'org_globex'";
    assert_eq!(demo.number(days), 30);
    let fewest = "SELECT min(n) FROM (SELECT count(*) AS n FROM sessions WHERE org_id = 'org_demo' GROUP BY substr(started_at, 1, 10))";
    assert!(demo.number(fewest) >= 95);
}

#[test]
fn times_have_one_form_and_some_have_a_fraction() {
    let demo = Demo::of("times", 1000);
    let odd = "SELECT count(*) FROM sessions
               WHERE started_at NOT GLOB '2026-0[45]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'
                  OR length(finished_at) <> 27 OR length(updated_at) <> 27
                  OR finished_at < started_at OR updated_at < coalesce(finished_at, started_at)";
    assert_eq!(demo.number(odd), 0);
    for form in ["%.000000Z", "%.___000Z", "%.______Z"] {
        let some = format!("SELECT count(*) FROM sessions WHERE started_at LIKE '{form}'");
        assert!(demo.number(&some) > 0, "{form}");
    }
}

#[test]
fn values_are_as_awkward_as_real_ones() {
    let demo = Demo::of("awkward", 2000);
    for condition in [
        "title IS NULL",
        "title = ''",
        "title LIKE '%\"%'",
        "title LIKE '%,%'",
        "instr(title, char(10)) > 0",
        "instr(title, char(13)) > 0",
        "title LIKE '=%'",
        "title LIKE '+%'",
        "title LIKE '-%'",
        "title LIKE '@%'",
        "title LIKE char(9) || '%'",
        "length(title) < length(CAST(title AS BLOB))",
        "status = 'running' AND finished_at IS NULL AND duration_ms IS NULL",
        "status = 'completed' AND finished_at IS NOT NULL AND duration_ms > 0",
        "status = 'failed'",
        "status = 'cancelled'",
    ] {
        let some = format!("SELECT count(*) FROM sessions WHERE {condition}");
        assert!(demo.number(&some) > 0, "{condition}");
    }
    assert_eq!(demo.number("SELECT min(cost_micros) < 0 FROM sessions"), 0);
    let statement = "SELECT session_id FROM sessions";
    let mut statement = demo.connection.prepare(statement).unwrap();
    let ids = statement.query_map([], |row| row.get::<_, String>(0));
    let ids: BTreeSet<uuid::Uuid> = ids
        .unwrap()
        .map(|id| id.unwrap().parse().unwrap())
        .collect();
    assert_eq!(ids.len(), 2000 + 250 + 125);
}

#[test]
fn a_demo_is_written_only_when_it_differs() {
    let demo = Demo::of("ensure", 10);
    let path = demo.path();
    assert!(!ensure(&path, 10).unwrap());
    assert!(ensure(&path, 20).unwrap());
    assert!(!ensure(&path, 20).unwrap());
    fs::remove_file(&path).unwrap();
    assert!(ensure(&path, 20).unwrap());
    // What a crash left behind is in nobody's way.
    fs::write(partial_name(&path), "half a demo").unwrap();
    assert!(ensure(&path, 30).unwrap());
    assert!(!partial_name(&path).exists());
}

#[test]
fn a_file_that_is_no_demo_is_left_alone() {
    let demo = Demo::of("foreign", 1);
    let path = demo.folder.join("mine.sqlite");
    let mine = Connection::open(&path).unwrap();
    mine.execute_batch("CREATE TABLE precious (a)").unwrap();
    let error = ensure(&path, 10).unwrap_err().to_string();
    assert!(error.contains("is not a demo"), "{error}");
    fs::write(&path, "no database at all").unwrap();
    assert!(ensure(&path, 10).is_err());
}

fn names(fields: &[Field]) -> Vec<&str> {
    fields.iter().map(|field| field.name.as_str()).collect()
}

#[test]
fn the_catalog_offers_what_is_documented() {
    let catalog = Catalog::parse(CATALOG).unwrap();
    let sessions = catalog.dataset("sessions").unwrap();
    assert_eq!(sessions.grain, Grain::Aggregate);
    let dimensions = ["org_id", "status", "agent", "model", "day", "session_id"];
    assert_eq!(names(&sessions.dimensions), dimensions);
    assert_eq!(
        names(&sessions.measures),
        [
            "session_count",
            "avg_duration_ms",
            "total_duration_ms",
            "input_tokens",
            "output_tokens",
            "total_cost",
        ]
    );
    let filters = dimensions.iter().copied().chain(["duration_ms"]);
    assert_eq!(names(&sessions.filters), filters.collect::<Vec<_>>());
    for filter in &sessions.filters {
        if let Some(dimension) = sessions.dimension(&filter.name) {
            assert_eq!(dimension.expression, filter.expression);
            assert_eq!(dimension.column_type, filter.column_type);
        }
    }

    let rows = catalog.dataset("session_rows").unwrap();
    assert_eq!(rows.grain, Grain::Row);
    assert_eq!(
        names(&rows.dimensions),
        [
            "session_id",
            "status",
            "agent",
            "model",
            "started_at",
            "finished_at",
            "duration_ms",
            "input_tokens",
            "output_tokens",
            "cost",
            "title",
            "updated_at",
        ]
    );
}

#[test]
fn every_expression_fits_the_table() {
    let demo = Demo::of("expressions", 100);
    let catalog = Catalog::parse(CATALOG).unwrap();
    let fields = |dataset: &Dataset| {
        let all = [&dataset.dimensions, &dataset.measures, &dataset.filters];
        all.into_iter().flatten().cloned().collect::<Vec<_>>()
    };
    for dataset in catalog.datasets() {
        for field in fields(dataset) {
            let expression = field.expression.sqlite.unwrap_or(field.expression.sql);
            let sql = format!("SELECT {expression} FROM sessions LIMIT 1");
            assert!(demo.connection.prepare(&sql).is_ok(), "{sql}");
        }
    }
    let sessions = catalog.dataset("sessions").unwrap();
    let measure = |name: &str, condition: &str| {
        let expression = &sessions.measure(name).unwrap().expression;
        let sql = expression.sqlite.as_ref().unwrap_or(&expression.sql);
        demo.text(&format!(
            "SELECT CAST({sql} AS TEXT) FROM sessions WHERE {condition}"
        ))
    };
    assert_eq!(measure("total_cost", "false"), None);
    assert_eq!(measure("avg_duration_ms", "false"), None);
    assert_eq!(measure("avg_duration_ms", "duration_ms IS NULL"), None);
    let micros = demo.number("SELECT sum(cost_micros) FROM sessions");
    let exact = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    assert_eq!(measure("total_cost", "true"), Some(exact));
}
