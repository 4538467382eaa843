//! The demo as a table of a PostgreSQL database, with the types that such a table has there.

use std::fmt::Write as _;

use anyhow::Context as _;
use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use waybill_config::DatabaseUrl;
use waybill_postgres::connect_options;

use super::sessions::Session;
use super::{VERSION, organisations};

/// Two of us would wait for each other's tables halfway; here the second one waits at the start.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtext('waybill demo'))";

/// Whether there is a table `sessions` where one would be made, and whether the mark of ours is beside it.
const FIND: &str = "
    SELECT to_regclass(quote_ident(current_schema()) || '.sessions') IS NOT NULL,
           to_regclass(quote_ident(current_schema()) || '.waybill_demo') IS NOT NULL";

const SCHEMA: &str = "
    DROP TABLE IF EXISTS sessions, waybill_demo;
    CREATE TABLE sessions (
        session_id    uuid          NOT NULL,
        org_id        text          NOT NULL,
        status        text          NOT NULL,
        agent         text          NOT NULL,
        model         text          NOT NULL,
        started_at    timestamptz   NOT NULL,
        finished_at   timestamptz,
        duration_ms   bigint,
        input_tokens  bigint        NOT NULL,
        output_tokens bigint        NOT NULL,
        cost          numeric(12,6) NOT NULL,
        title         text,
        updated_at    timestamptz   NOT NULL
    );
    CREATE TABLE waybill_demo (version bigint NOT NULL, rows bigint NOT NULL);";

/// FREEZE: the table is made in this transaction, and later reads need not look at who wrote a row.
const COPY: &str = "
    COPY sessions (session_id, org_id, status, agent, model, started_at, finished_at, duration_ms,
                   input_tokens, output_tokens, cost, title, updated_at)
    FROM STDIN WITH (FORMAT text, FREEZE)";

const INDEXES: &str = "
    CREATE INDEX sessions_by_start ON sessions (org_id, started_at);
    CREATE INDEX sessions_by_update ON sessions (org_id, updated_at);
    ANALYZE sessions;";

/// Bytes that are sent at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// Writes the demo with `rows` rows for `org_demo` (and an eighth and a sixteenth of that for two
/// others), in place of an earlier one: all of it or nothing.
///
/// # Errors
/// When the database does not answer or refuses, or has a table `sessions` that is not the demo's.
pub async fn write(url: &DatabaseUrl, rows: u64) -> anyhow::Result<()> {
    let mut connection = connect_options(url)?
        .connect()
        .await
        .with_context(|| format!("{url} cannot be used"))?;
    let mut transaction = connection.begin().await?;
    transaction.execute(LOCK).await?;
    let (table, marked): (bool, bool) = sqlx::query_as(FIND).fetch_one(&mut *transaction).await?;
    if table && !marked {
        anyhow::bail!("there is a table sessions that is not the demo's; it is left as it is");
    }
    transaction.execute(SCHEMA).await?;
    copy(&mut transaction, rows).await?;
    transaction.execute(INDEXES).await?;
    sqlx::query("INSERT INTO waybill_demo VALUES ($1, $2)")
        .bind(VERSION)
        .bind(i64::try_from(rows)?)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    connection.close().await?;
    Ok(())
}

async fn copy(connection: &mut PgConnection, rows: u64) -> anyhow::Result<()> {
    let mut copy = connection.copy_in_raw(COPY).await?;
    let mut chunk = String::with_capacity(2 * CHUNK_BYTES);
    for (organisation, count) in organisations(rows) {
        for number in 0..count {
            line(
                organisation,
                &Session::of(organisation, number, count),
                &mut chunk,
            )?;
            if chunk.len() >= CHUNK_BYTES {
                copy.send(chunk.as_bytes()).await?;
                chunk.clear();
            }
        }
    }
    copy.send(chunk.as_bytes()).await?;
    copy.finish().await?;
    Ok(())
}

/// A row in COPY's text format.
fn line(organisation: &str, session: &Session, out: &mut String) -> std::fmt::Result {
    let Session {
        id,
        status,
        agent,
        model,
        started_at,
        input_tokens,
        output_tokens,
        updated_at,
        ..
    } = session;
    write!(
        out,
        "{id}\t{organisation}\t{status}\t{agent}\t{model}\t{started_at}\t"
    )?;
    or_null(session.finished_at.as_deref(), out);
    out.push('\t');
    match session.duration_ms {
        Some(duration) => write!(out, "{duration}")?,
        None => or_null(None, out),
    }
    let (dollars, micros) = (
        session.cost_micros / 1_000_000,
        session.cost_micros % 1_000_000,
    );
    write!(
        out,
        "\t{input_tokens}\t{output_tokens}\t{dollars}.{micros:06}\t"
    )?;
    or_null(session.title.as_deref(), out);
    writeln!(out, "\t{updated_at}")
}

fn or_null(text: Option<&str>, out: &mut String) {
    let Some(text) = text else {
        return out.push_str("\\N");
    };
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests;
