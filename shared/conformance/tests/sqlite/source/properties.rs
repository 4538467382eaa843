//! Any query on a file, each value stored in one of the ways in which files hold it.

use rusqlite::Connection;
use rusqlite::types::Value;
use waybill_conformance::queries::SampleRow;
use waybill_conformance::source::properties::{self, SampleTable};
use waybill_report::query::Literal;

use super::*;

/// A file that is emptied for every case.
struct File {
    _dir: TempDir,
    path: PathBuf,
    writer: Connection,
}

impl File {
    fn new(index: &str) -> Self {
        let dir = TempDir::new().expect("a folder");
        let path = dir.path().join("belongings.sqlite");
        let writer = Connection::open(&path).expect("a file");
        writer
            .execute_batch(&format!(
                "PRAGMA journal_mode = WAL;
                 PRAGMA synchronous = OFF;
                 CREATE TABLE belongings (owner, id, at, s, i, f, d, b, day, u, j);
                 {index}"
            ))
            .expect("a table");
        Self {
            _dir: dir,
            path,
            writer,
        }
    }
}

impl SampleTable for File {
    async fn fill(&self, rows: &[SampleRow]) {
        let execute = |sql: &str| self.writer.execute_batch(sql).expect("a change");
        execute("BEGIN; DELETE FROM belongings");
        for (number, row) in rows.iter().enumerate() {
            let cells = row.cells.iter().enumerate().map(|(column, cell)| {
                let stored = |value| stored(value, number + column);
                cell.as_ref().map_or(Value::Null, stored)
            });
            let owner = Value::Text(row.owner.clone());
            let values = rusqlite::params_from_iter([owner].into_iter().chain(cells));
            self.writer
                .prepare_cached("INSERT INTO belongings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
                .and_then(|mut insert| insert.execute(values))
                .expect("a row");
        }
        execute("COMMIT");
    }

    fn source(&self) -> Arc<dyn Source> {
        Arc::new(SqliteSource::new(&self.path))
    }
}

/// A value in one of its ways.
fn stored(value: &Literal, way: usize) -> Value {
    match value {
        Literal::String(text) => Value::Text(text.clone()),
        Literal::Integer(number) => Value::Integer(*number),
        Literal::Float(number) => Value::Real(*number),
        Literal::Decimal(text) => match text.parse() {
            Ok(whole) if way.is_multiple_of(2) => Value::Integer(whole),
            _ => Value::Text(text.clone()),
        },
        Literal::Boolean(truth) if way.is_multiple_of(2) => Value::Integer(i64::from(*truth)),
        Literal::Boolean(truth) => Value::Text(truth.to_string()),
        Literal::Timestamp(instant) => {
            // An offset may not carry the year over an end of what is stored.
            let offset = match chrono::Datelike::year(instant) {
                2..=9998 => [0, 330, -480, 1_080][way % 4],
                _ => 0,
            };
            let offset = chrono::FixedOffset::east_opt(offset * 60).expect("an offset");
            let form = ["%Y-%m-%dT%H:%M:%S%.6f%:z", "%Y-%m-%d %H:%M:%S%.f%z"][way / 4 % 2];
            Value::Text(instant.with_timezone(&offset).format(form).to_string())
        }
        Literal::Date(day) => Value::Text(day.format("%Y-%m-%d").to_string()),
        Literal::Uuid(uuid) => match way % 3 {
            0 => Value::Text(uuid.hyphenated().to_string()),
            1 => Value::Text(uuid.simple().to_string().to_uppercase()),
            _ => Value::Blob(uuid.as_bytes().to_vec()),
        },
    }
}

#[test]
fn any_query_is_answered_as_reckoned() {
    properties::run(128, async || File::new(""));
}

#[test]
fn any_query_is_answered_as_reckoned_through_an_index() {
    let index = "CREATE INDEX by_time ON belongings (owner, at)";
    properties::run(128, async || File::new(index));
}
