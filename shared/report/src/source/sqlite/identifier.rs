//! How SQLite reads a name: a word of its own has to be quoted.

/// Every keyword of SQLite, and the names that mean something without being a column.
const WORDS: &str = "\
abort action add after all alter always analyze and as asc attach autoincrement before begin between by \
cascade case cast check collate column commit conflict constraint create cross current current_date \
current_time current_timestamp database default deferrable deferred delete desc detach distinct do drop \
each else end escape except exclude exclusive exists explain fail false filter first following for foreign \
from full generated glob group groups having if ignore immediate in index indexed initially inner insert \
instead intersect into is isnull join key last left like limit match materialized natural no not nothing \
notnull null nulls of offset oid on or order others outer over partition plan pragma preceding primary \
query raise range recursive references regexp reindex release rename replace restrict returning right \
rollback row rowid rows savepoint select set table temp temporary then ties to transaction trigger true \
unbounded union unique update using vacuum values view virtual when where window with within without \
_rowid_";

/// A name as it stands in SQL: quoted unless it is a plain word of lower case that SQLite has no use for.
pub(super) fn identifier(name: &str) -> String {
    let first = |c: char| c.is_ascii_lowercase() || c == '_';
    let rest = |c: char| first(c) || c.is_ascii_digit();
    let plain = name.starts_with(first) && name.chars().all(rest);
    match plain && !WORDS.split(' ').any(|word| word == name) {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn every_name_is_the_column_of_that_name() {
        let database = Connection::open_in_memory().expect("a database");
        let odd = [
            "Order", "a b", "a\"b", "é", "1st", "", "a;b", "a.b", "status", "type", "_x1",
        ];
        for name in WORDS.split(' ').chain(odd) {
            let sql = identifier(name);
            let quoted = name.replace('"', "\"\"");
            database
                .execute_batch(&format!(
                    "CREATE TABLE one (\"{quoted}\"); INSERT INTO one VALUES ('value')"
                ))
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let value: String = database
                .query_row(&format!("SELECT {sql} FROM one; "), [], |row| row.get(0))
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(value, "value", "{name}");
            database.execute_batch("DROP TABLE one").expect("it goes");
        }
        assert_eq!(identifier("placed_at"), "placed_at");
    }
}
