//! What a SQLite file has. Its columns may hold anything, whatever they are declared as, so their types
//! are those that the first rows agree with.

mod evidence;

use std::time::{Duration, Instant};

use rusqlite::{Connection, Params, Row};

use self::evidence::Evidence;
use super::identifier::identifier;
use super::indexes::indexes;
use super::running::STEPS_BETWEEN_CHECKS;
use crate::source::tables::{Table, TableColumn};

/// Rows that are looked at in each table.
const SAMPLED_ROWS: usize = 500;
/// The longest look at one table, for a view may have to compute for long.
const SAMPLE_BUDGET: Duration = Duration::from_secs(1);

const TABLES: &str = "\
SELECT name, type FROM pragma_table_list
WHERE schema = 'main' AND type IN ('table', 'view', 'virtual') AND name NOT GLOB 'sqlite_*'
ORDER BY name";

/// Generated columns too, but not those that a virtual table hides.
const COLUMNS: &str = "\
SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?1, 'main') WHERE hidden <> 1 ORDER BY cid";

const UNIQUE_COLUMNS: &str = "\
SELECT max(columns.name)
FROM pragma_index_list(?1, 'main') AS indexes, pragma_index_info(indexes.name, 'main') AS columns
WHERE indexes.\"unique\" AND NOT indexes.partial
GROUP BY indexes.name
HAVING count(*) = 1 AND max(columns.name) IS NOT NULL";

/// Tables and views. One that cannot be read, as a view of what is no longer there, has no columns.
pub(super) fn tables(connection: &Connection) -> rusqlite::Result<Vec<Table>> {
    let names: Vec<(String, String)> =
        all(connection, TABLES, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut tables = Vec::with_capacity(names.len());
    for (name, kind) in names {
        let indexes = indexes(connection, "main", &name)?.unwrap_or_default();
        let mut table = Table {
            schema: None,
            sql: identifier(&name),
            name,
            needs_schema: false,
            columns: Vec::new(),
            indexes,
        };
        match columns(connection, &table) {
            Ok(columns) => table.columns = columns,
            Err(error) => {
                tracing::debug!(%error, kind, table = table.name, "a table cannot be described");
            }
        }
        tables.push(table);
    }
    Ok(tables)
}

struct Declared {
    name: String,
    native_type: String,
    not_null: bool,
    /// Place in the primary key, from 1; 0 = none.
    key: i64,
}

fn columns(connection: &Connection, table: &Table) -> rusqlite::Result<Vec<TableColumn>> {
    let declared = all(connection, COLUMNS, [&table.name], |row| {
        Ok(Declared {
            name: row.get(0)?,
            native_type: row.get(1)?,
            not_null: row.get(2)?,
            key: row.get(3)?,
        })
    })?;
    let unique: Vec<String> = all(connection, UNIQUE_COLUMNS, [&table.name], |row| row.get(0))?;
    let keys = declared.iter().filter(|column| column.key > 0).count();
    let names: Vec<String> = declared
        .iter()
        .map(|column| identifier(&column.name))
        .collect();
    let evidence = sample(connection, table, &names)?;
    let columns = declared.into_iter().zip(names).zip(evidence);
    Ok(columns
        .map(|((column, sql), evidence)| {
            let key = column.key > 0;
            TableColumn {
                unique: key && keys == 1 || unique.contains(&column.name),
                nullable: !(column.not_null || key && evidence.has_no_null()),
                content: evidence.content(&column.name, &sql, &column.native_type),
                name: column.name,
                native_type: column.native_type,
                sql,
            }
        })
        .collect())
}

/// What the first rows hold, column by column; nothing where they cannot be had in time.
fn sample(
    connection: &Connection,
    table: &Table,
    columns: &[String],
) -> rusqlite::Result<Vec<Evidence>> {
    let mut evidence: Vec<Evidence> = columns.iter().map(|_| Evidence::default()).collect();
    let deadline = Instant::now() + SAMPLE_BUDGET;
    let is_over = move || Instant::now() > deadline;
    connection.progress_handler(STEPS_BETWEEN_CHECKS, Some(is_over))?;
    let looked = look(connection, table, columns, &mut evidence);
    connection.progress_handler(0, None::<fn() -> bool>)?;
    if let Err(error) = looked {
        tracing::debug!(%error, table = table.name, "only a part of its first rows was looked at");
    }
    Ok(evidence)
}

fn look(
    connection: &Connection,
    table: &Table,
    columns: &[String],
    evidence: &mut [Evidence],
) -> rusqlite::Result<()> {
    let sql = format!(
        "SELECT {} FROM {} LIMIT {SAMPLED_ROWS}",
        columns.join(", "),
        table.sql
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for (index, evidence) in evidence.iter_mut().enumerate() {
            evidence.add(row.get_ref(index)?);
        }
    }
    Ok(())
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map(parameters, read)?;
    rows.collect()
}
