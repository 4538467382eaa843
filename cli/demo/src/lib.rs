//! The demo: a catalog and a table of agent sessions that everyone gets alike, as a SQLite file or in a
//! PostgreSQL database.
//!
//! Owns what is in it. Every row follows from its organisation and number alone, so that a count of rows
//! names one data set, today and on every machine. Reading it is for any source to do.

#![deny(missing_docs)]

pub mod postgres;
mod sessions;
pub mod sqlite;

/// The catalog of the demo, as an operator would write it.
pub const CATALOG: &str = include_str!("../catalog.toml");

/// Goes up with every change of what is generated, so that older files are made anew.
const VERSION: i64 = 1;

/// Returns the organisations and how many rows each has when `org_demo` has `rows`.
fn organisations(rows: u64) -> [(&'static str, u64); 3] {
    let part = |of: u64| if rows == 0 { 0 } else { (rows / of).max(1) };
    [
        ("org_demo", rows),
        ("org_acme", part(8)),
        ("org_globex", part(16)),
    ]
}

/// Returns the demo's catalog, read from the source of this name.
pub fn catalog(source: &str) -> String {
    if source == "default" {
        return CATALOG.to_owned();
    }
    CATALOG.replace(
        "table = \"sessions\"",
        &format!("source = \"{source}\"\ntable = \"sessions\""),
    )
}

#[cfg(test)]
mod tests;
