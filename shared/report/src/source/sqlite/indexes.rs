//! Which indexes a table has.

use rusqlite::Connection;

use crate::source::tables::Index;

const IS_TABLE: &str = "\
SELECT count(*) FROM pragma_table_list WHERE schema = ?1 AND name = ?2 COLLATE NOCASE AND type = 'table'";

/// The name of an expression is NULL.
const INDEX_COLUMNS: &str = "\
SELECT indexes.name, columns.name
FROM pragma_index_list(?2, ?1) AS indexes, pragma_index_info(indexes.name, ?1) AS columns
WHERE NOT indexes.partial
ORDER BY indexes.seq, columns.seqno";

/// The indexes over all rows of a table; `None` when it is no table.
pub(super) fn indexes(
    connection: &Connection,
    schema: &str,
    table: &str,
) -> rusqlite::Result<Option<Vec<Index>>> {
    let tables: i64 = connection.query_row(IS_TABLE, [schema, table], |row| row.get(0))?;
    if tables == 0 {
        return Ok(None);
    }
    let mut statement = connection.prepare(INDEX_COLUMNS)?;
    let mut rows = statement.query([schema, table])?;
    let mut indexes: Vec<(String, Index)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (index, column): (String, Option<String>) = (row.get(0)?, row.get(1)?);
        let column = column.unwrap_or_default();
        match indexes.last_mut() {
            Some((last, columns)) if *last == index => columns.push(column),
            _ => indexes.push((index, vec![column])),
        }
    }
    Ok(Some(
        indexes.into_iter().map(|(_, columns)| columns).collect(),
    ))
}
