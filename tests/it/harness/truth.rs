//! What files must hold: computed from the demo's SQLite file and the rules of the contract alone.

use std::fmt::Display;

use rusqlite::Connection;
use rusqlite::types::Value;

/// One field of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    /// A value of type string: the formula guard applies.
    Text(String),
    /// A value of any other type.
    Plain(String),
}

impl Cell {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(crate) fn plain(value: impl Display + Copy) -> Self {
        Self::Plain(value.to_string())
    }

    /// What a CSV reader gets.
    pub(crate) fn as_read(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Plain(text) => text.clone(),
            Self::Text(text) if is_guarded(text) => format!("'{text}"),
            Self::Text(text) => text.clone(),
        }
    }
}

/// Whether the formula guard is for this text.
fn is_guarded(text: &str) -> bool {
    let text = text.trim_start_matches([' ', '\u{a0}', '\u{feff}']);
    text.starts_with(|first| "=+-@＝＋－＠\t\r\n".contains(first))
}

/// A CSV file, after section 5 of the contract.
pub(crate) fn csv(columns: &[&str], rows: &[Vec<Cell>]) -> Vec<u8> {
    let mut file = columns.join(",") + "\n";
    for row in rows {
        let fields: Vec<String> = row
            .iter()
            .map(|cell| match cell {
                Cell::Null if columns.len() > 1 => String::new(),
                cell => quoted_if_needed(&cell.as_read()),
            })
            .collect();
        file += &fields.join(",");
        file += "\n";
    }
    file.into_bytes()
}

fn quoted_if_needed(text: &str) -> String {
    if text.is_empty() || text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// Every session of an organisation as `session_rows` has it, by session.
pub(crate) fn session_rows(database: &Connection, organisation: &str) -> Vec<Vec<Cell>> {
    let mut statement = database
        .prepare(
            "SELECT session_id, status, agent, model, started_at, finished_at, duration_ms,
                    input_tokens, output_tokens, cost_micros, title, updated_at
             FROM sessions WHERE org_id = ?1 ORDER BY session_id",
        )
        .expect("the demo's table has these columns");
    let rows = statement.query_map([organisation], |row| {
        (0..12)
            .map(|index| {
                Ok(match (index, row.get::<_, Value>(index)?) {
                    (_, Value::Null) => Cell::Null,
                    (4 | 5 | 11, Value::Text(instant)) => Cell::Plain(shortened(&instant)),
                    (0, Value::Text(uuid)) => Cell::Plain(uuid),
                    (9, Value::Integer(micros)) => Cell::Plain(dollars(micros)),
                    (_, Value::Text(text)) => Cell::Text(text),
                    (_, Value::Integer(number)) => Cell::plain(number),
                    (_, other) => panic!("the demo holds {other:?} in column {index}"),
                })
            })
            .collect()
    });
    rows.expect("the demo can be read")
        .collect::<rusqlite::Result<_>>()
        .expect("the demo can be read")
}

/// One number from the demo's database.
pub(crate) fn number(database: &Connection, sql: &str) -> i64 {
    database
        .query_row(sql, [], |row| row.get(0))
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Millionths of a dollar as dollars, with all six digits.
pub(crate) fn dollars(micros: i64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// An instant that is stored with six digits of the second, with those only that are needed.
pub(crate) fn shortened(instant: &str) -> String {
    let bare = instant.strip_suffix('Z').expect("the demo stores UTC");
    match bare.split_once('.') {
        Some((seconds, fraction)) => match fraction.trim_end_matches('0') {
            "" => format!("{seconds}Z"),
            fraction => format!("{seconds}.{fraction}Z"),
        },
        None => instant.to_owned(),
    }
}
