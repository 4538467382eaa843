//! Whatever an operator writes is judged: read as one catalog, or refused at lines that are there.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use waybill_test_services::hostile;
use waybill_test_services::sql_tokens::{Grammar, is_one_balanced_statement, tokens};

use super::*;
use crate::source::postgres::statement::PostgresDialect;
use crate::source::statement::probes;
use crate::source::stored_types::StoredTypes;

/// The demo's, which has something of everything.
const DEMO: &str = include_str!("../../../../../cli/demo/catalog.toml");

fn judge(text: &str) -> Result<(), TestCaseError> {
    match Catalog::parse(text) {
        Ok(catalog) => {
            let again = Catalog::parse(text).expect("what was read once");
            prop_assert_eq!(format!("{:?}", again), format!("{:?}", catalog));
            catalog.datasets().try_for_each(check_dataset)
        }
        Err(faults) => check_faults(text, &faults),
    }
}

fn check_faults(text: &str, faults: &CatalogFaults) -> Result<(), TestCaseError> {
    let lines = text.split('\n').count();
    prop_assert!(faults.iter().next().is_some());
    prop_assert!(faults.iter().is_sorted_by_key(|fault| fault.line));
    for fault in faults.iter() {
        prop_assert!(
            (1..=lines).contains(&fault.line),
            "{fault:?} of {lines} lines"
        );
        prop_assert!(!fault.message.trim().is_empty(), "{fault:?}");
        let told = fault.to_string();
        prop_assert!(
            !told.contains(['\n', '\r']),
            "{fault:?} is more than a line"
        );
    }
    Ok(())
}

/// Every text of the dataset stays in the place into which a statement puts it.
fn check_dataset(dataset: &Dataset) -> Result<(), TestCaseError> {
    prop_assert_eq!(name::wire(&dataset.name), Ok(()));
    for probe in probes(dataset, &PostgresDialect, &StoredTypes::default()) {
        check_postgres(&probe.sql)?;
    }
    Ok(())
}

fn check_postgres(sql: &str) -> Result<(), TestCaseError> {
    let tokens = tokens(sql, Grammar::Postgres { conforming: true });
    prop_assert!(tokens.is_ok(), "{tokens:?} in {sql}");
    prop_assert!(
        is_one_balanced_statement(&tokens.unwrap_or_default()),
        "{sql}"
    );
    Ok(())
}

/// One change to a file of lines.
#[derive(Clone, Debug)]
enum Change {
    Drop(Index),
    Repeat(Index),
    Swap(Index, Index),
    /// What stands behind the first `=` of the line.
    Value(Index, String),
    /// What stands before it.
    Key(Index, String),
    Insert(Index, String),
    /// Some bytes within the line, as far as they are whole characters.
    Splice(Index, Index, usize, String),
}

impl Change {
    fn apply(&self, lines: &mut Vec<String>) {
        let all = lines.len().max(1);
        let at = |index: &Index| index.index(all);
        match self {
            _ if lines.is_empty() => {}
            Self::Drop(index) => drop(lines.remove(at(index))),
            Self::Repeat(index) => lines.insert(at(index), lines[at(index)].clone()),
            Self::Swap(one, other) => lines.swap(at(one), at(other)),
            Self::Value(index, value) => {
                let line = &mut lines[at(index)];
                if let Some((key, _)) = line.split_once('=') {
                    *line = format!("{key}= {value}");
                }
            }
            Self::Key(index, key) => {
                let line = &mut lines[at(index)];
                if let Some((_, value)) = line.split_once('=') {
                    *line = format!("{key} ={value}");
                }
            }
            Self::Insert(index, line) => lines.insert(at(index), line.clone()),
            Self::Splice(index, within, cut, inserted) => {
                let line = &mut lines[at(index)];
                let mut chars: Vec<char> = line.chars().collect();
                let start = within.index(chars.len() + 1);
                let end = (start + cut).min(chars.len());
                chars.splice(start..end, inserted.chars());
                *line = chars.into_iter().collect();
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        2 => at().prop_map(Change::Drop),
        1 => at().prop_map(Change::Repeat),
        1 => (at(), at()).prop_map(|(one, other)| Change::Swap(one, other)),
        4 => (at(), value()).prop_map(|(at, value)| Change::Value(at, value)),
        2 => (at(), key()).prop_map(|(at, key)| Change::Key(at, key)),
        3 => (at(), line()).prop_map(|(at, line)| Change::Insert(at, line)),
        3 => (at(), at(), 0..6_usize, piece())
            .prop_map(|(at, within, cut, piece)| Change::Splice(at, within, cut, piece)),
    ]
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => (key(), value()).prop_map(|(key, value)| format!("{key} = {value}")),
        1 => key().prop_map(|key| format!("[{key}]")),
        1 => key().prop_map(|key| format!("[datasets.{key}]")),
        1 => key().prop_map(|key| format!("[[{key}]]")),
        1 => hostile::text(),
    ]
}

fn key() -> impl Strategy<Value = String> {
    let plain = select(
        &[
            "datasets",
            "datasets.sessions",
            "sessions",
            "description",
            "source",
            "table",
            "sql",
            "grain",
            "tenant",
            "shared",
            "time",
            "updated",
            "max_range_days",
            "roles",
            "dimensions",
            "measures",
            "filters",
            "sqlite",
            "postgres",
            "type",
            "row_count",
            "tabel",
            "\"\"",
            "a.b.c.d",
        ][..],
    );
    prop_oneof![
        4 => plain.prop_map(str::to_owned),
        1 => hostile::text().prop_map(|text| format!("{text:?}")),
        1 => (1..200_usize).prop_map(|depth| vec!["a"; depth].join(".")),
    ]
}

fn value() -> impl Strategy<Value = String> {
    let plain = select(
        &[
            "\"row\"",
            "\"aggregate\"",
            "\"sessions\"",
            "\"a.b.c\"",
            "true",
            "false",
            "0",
            "370",
            "-1",
            "0xffffffffffffffffffffffffffffffffffff",
            "1_000_000_000_000_000_000_000_000_000_000_000_000_000",
            "0b2",
            "1.5",
            "inf",
            "1e400",
            "2026-05-01T00:00:00Z",
            "25:61:61",
            "[]",
            "{}",
            "[\"viewer\", \"viewer\"]",
            "[\"admin\", 1, []]",
            "{ sql = \"a\" }",
            "{ sql = \"a\", type = \"string\" }",
            "{ sql = \"(\", type = \"json\", sqlite = \")\" }",
            "\"\"\"",
            "'''",
            "\"\\u0000\"",
            "\"\\ud800\"",
            "[[[",
            "{ a = { b = { c = [",
        ][..],
    );
    prop_oneof![
        4 => plain.prop_map(str::to_owned),
        2 => hostile::text().prop_map(|text| format!("{text:?}")),
        2 => sql().prop_map(|sql| format!("{{ sql = '''{sql}''', type = \"string\" }}")),
        1 => sql().prop_map(|sql| format!("'''{sql}'''")),
        1 => (1..200_usize).prop_map(|depth| "[".repeat(depth) + &"]".repeat(depth)),
        1 => (1..200_usize).prop_map(|depth| "{ a = ".repeat(depth) + "1" + &" }".repeat(depth)),
    ]
}

fn piece() -> impl Strategy<Value = String> {
    let piece = select(
        &[
            "", "\"", "'", "[", "]", "{", "}", ",", "=", "#", "\\", "\r", "\u{0}", "\u{feff}", "é",
            ".",
        ][..],
    );
    piece.prop_map(str::to_owned)
}

/// Text made of all that opens or closes something in SQL.
fn sql() -> impl Strategy<Value = String> {
    let piece = select(
        &[
            "a", "e", "E", "1", "é", "→", "\u{a0}", " ", "\n", "'", "'", "''", "\"", "\\", "(",
            ")", "--", "/*", "*/", "$", "$$", "$a$", ";", "E'a'", "'\\'", "$1", "||",
        ][..],
    );
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_judged(bytes in vec(any::<u8>(), 0..200)) {
        judge(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn any_lines_are_judged(lines in vec(line(), 0..12)) {
        judge(&lines.join("\n"))?;
    }

    #[test]
    fn the_demo_with_anything_changed_is_judged(changes in vec(change(), 1..4)) {
        let mut lines: Vec<String> = DEMO.split('\n').map(str::to_owned).collect();
        for change in &changes {
            change.apply(&mut lines);
        }
        judge(&lines.join("\n"))?;
    }

    /// What the rule lets through is read alike by the database, whose own rules are written down elsewhere.
    #[test]
    fn accepted_sql_stays_within_its_parentheses(text in sql()) {
        if sql::check(&text).is_ok() {
            check_postgres(&format!("SELECT ({text}\n) AS x"))?;
            if !text.contains(['\\', '$']) {
                let sql = format!("SELECT ({text}\n) AS x");
                let tokens = tokens(&sql, Grammar::Sqlite);
                prop_assert!(tokens.is_ok_and(|tokens| is_one_balanced_statement(&tokens)), "{sql}");
            }
        }
    }
}

#[test]
fn the_demo_itself_has_no_fault() {
    assert!(Catalog::parse(DEMO).is_ok());
}
