//! What a PostgreSQL database has that this role may read.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::connections::Connections;
use super::error::source_error;
use crate::column::ColumnType;
use crate::source::error::SourceError;
use crate::source::tables::{Content, Index, Projection, Table, TableColumn};

/// The columns of tables, views and the like, in the order of their tables; nothing of the system's, of
/// extensions, of Waybill's own, and no partition of a table that is there as a whole. Two names of
/// a schema are quoted by the server, which alone knows its reserved words. The type is the one beneath
/// all domains, and empty where it is not the system's own.
const COLUMNS: &str = "\
SELECT
  a_table.oid::int8, a_schema.nspname::text, a_table.relname::text,
  NOT pg_table_is_visible(a_table.oid),
  CASE WHEN pg_table_is_visible(a_table.oid) THEN '' ELSE quote_ident(a_schema.nspname) || '.' END
    || quote_ident(a_table.relname),
  a_column.attname::text, quote_ident(a_column.attname),
  format_type(a_column.atttypid, a_column.atttypmod), NOT a_column.attnotnull,
  EXISTS (
    SELECT 1 FROM pg_index AS a_key
    WHERE a_key.indrelid = a_table.oid AND a_key.indisunique AND a_key.indisvalid
      AND a_key.indpred IS NULL AND a_key.indnkeyatts = 1 AND a_key.indkey[0] = a_column.attnum
  ),
  (
    WITH RECURSIVE base AS (
      SELECT a_type.* FROM pg_type AS a_type WHERE a_type.oid = a_column.atttypid
      UNION ALL
      SELECT beneath.* FROM base JOIN pg_type AS beneath ON beneath.oid = base.typbasetype
      WHERE base.typtype = 'd'
    )
    SELECT CASE WHEN base.typnamespace = 'pg_catalog'::regnamespace THEN base.typname::text ELSE '' END
    FROM base WHERE base.typtype <> 'd'
  )
FROM pg_class AS a_table
JOIN pg_namespace AS a_schema ON a_schema.oid = a_table.relnamespace
JOIN pg_attribute AS a_column
  ON a_column.attrelid = a_table.oid AND a_column.attnum > 0 AND NOT a_column.attisdropped
WHERE a_table.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT a_table.relispartition
  AND a_table.relpersistence <> 't'
  AND a_schema.nspname !~ '^pg_' AND a_schema.nspname NOT IN ('information_schema', 'waybill', 'apalis')
  AND has_schema_privilege(a_schema.oid, 'USAGE')
  AND has_column_privilege(a_table.oid, a_column.attnum, 'SELECT')
  AND NOT EXISTS (
    SELECT 1 FROM pg_depend AS its
    WHERE its.classid = 'pg_class'::regclass AND its.objid = a_table.oid AND its.deptype = 'e'
  )
ORDER BY a_schema.nspname, a_table.relname, a_table.oid, a_column.attnum";

/// The columns of every index over all rows, by table; see `index_columns` in the dialect.
const INDEXES: &str = "\
SELECT an_index.indrelid::int8, (
  SELECT array_agg(coalesce(named.attname::text, '') ORDER BY key.place)
  FROM unnest(an_index.indkey::int2[]) WITH ORDINALITY AS key (number, place)
  LEFT JOIN pg_attribute AS named ON named.attrelid = an_index.indrelid AND named.attnum = key.number
  WHERE key.place <= an_index.indnkeyatts
)
FROM pg_index AS an_index
JOIN pg_class AS a_table ON a_table.oid = an_index.indrelid
JOIN pg_namespace AS a_schema ON a_schema.oid = a_table.relnamespace
WHERE an_index.indisvalid AND an_index.indpred IS NULL AND a_schema.nspname !~ '^pg_'
ORDER BY an_index.indrelid, an_index.indexrelid";

pub(super) async fn tables(connections: &Arc<Connections>) -> Result<Vec<Table>, SourceError> {
    let columns = connections.rows(COLUMNS, Duration::ZERO).await?;
    let indexes = connections.rows(INDEXES, Duration::ZERO).await?;
    described(&columns, &indexes).map_err(|error| source_error(&error))
}

fn described(columns: &[PgRow], indexes: &[PgRow]) -> sqlx::Result<Vec<Table>> {
    let mut tables: Vec<(i64, Table)> = Vec::new();
    for row in columns {
        let oid: i64 = row.try_get(0)?;
        let column = column(row)?;
        match tables.last_mut() {
            Some((last, table)) if *last == oid => table.columns.push(column),
            _ => tables.push((
                oid,
                Table {
                    schema: Some(row.try_get(1)?),
                    name: row.try_get(2)?,
                    needs_schema: row.try_get(3)?,
                    sql: row.try_get(4)?,
                    columns: vec![column],
                    indexes: Vec::new(),
                },
            )),
        }
    }
    for row in indexes {
        let (oid, index): (i64, Index) = (row.try_get(0)?, row.try_get(1)?);
        if let Some((_, table)) = tables.iter_mut().find(|(table, _)| *table == oid) {
            table.indexes.push(index);
        }
    }
    Ok(tables.into_iter().map(|(_, table)| table).collect())
}

fn column(row: &PgRow) -> sqlx::Result<TableColumn> {
    let sql: String = row.try_get(6)?;
    let base: Option<String> = row.try_get(10)?;
    Ok(TableColumn {
        name: row.try_get(5)?,
        native_type: row.try_get(7)?,
        nullable: row.try_get(8)?,
        unique: row.try_get(9)?,
        content: content(&sql, base.as_deref().unwrap_or_default()),
        sql,
    })
}

/// How values of a type can be had. Every type has a text, and so has what is not listed.
fn content(sql: &str, base: &str) -> Content {
    let typed = |column_type| Content::plain(sql, column_type);
    let added = |values: &str, content: Content, sum, mean| {
        let mean = match mean {
            ColumnType::Float => Projection::new(format!("avg({values})::float8"), mean),
            _ => Projection::new(format!("avg({values})"), mean),
        };
        content.added(Projection::new(format!("sum({values})"), sum), mean)
    };
    match base {
        "int2" | "int4" => {
            let content = typed(ColumnType::Integer);
            added(sql, content, ColumnType::Integer, ColumnType::Float)
        }
        // A sum of these is a numeric: it may be larger than each of them can be.
        "int8" => {
            let content = typed(ColumnType::Integer);
            added(sql, content, ColumnType::Decimal, ColumnType::Float)
        }
        "oid" => Content::plain(format!("{sql}::int8"), ColumnType::Integer),
        "float4" | "float8" => {
            let values = format!("{sql}::float8");
            let content = typed(ColumnType::Float);
            added(&values, content, ColumnType::Float, ColumnType::Float)
        }
        "numeric" => {
            let content = typed(ColumnType::Decimal);
            added(sql, content, ColumnType::Decimal, ColumnType::Decimal)
        }
        "money" => {
            let values = format!("{sql}::numeric");
            let content = Content::plain(&values, ColumnType::Decimal);
            added(&values, content, ColumnType::Decimal, ColumnType::Decimal)
        }
        "bool" => typed(ColumnType::Boolean),
        "text" | "varchar" => typed(ColumnType::String),
        "timestamptz" => typed(ColumnType::Timestamp).with_day(format!("{sql}::date")),
        "timestamp" => typed(ColumnType::Timestamp)
            .with_day(format!("{sql}::date"))
            .remarked("it has no time zone: it is read as UTC"),
        "date" => typed(ColumnType::Date),
        "uuid" => typed(ColumnType::Uuid),
        "json" | "jsonb" => typed(ColumnType::Json),
        "bytea" => Content::default().remarked(format!(
            "no catalog type holds bytes; encode({sql}, 'hex') is a string of them"
        )),
        _ => Content::plain(format!("{sql}::text"), ColumnType::String),
    }
}
