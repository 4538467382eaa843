//! The demo as a SQLite file.
//!
//! SQLite has neither exact decimals nor timestamps: costs are in millionths, times are texts of one form.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rusqlite::{Connection, OpenFlags, params};

use super::sessions::Session;
use super::{VERSION, organisations};

const SCHEMA: &str = "
    CREATE TABLE sessions (
        session_id    TEXT    NOT NULL,
        org_id        TEXT    NOT NULL,
        status        TEXT    NOT NULL,
        agent         TEXT    NOT NULL,
        model         TEXT    NOT NULL,
        started_at    TEXT    NOT NULL,
        finished_at   TEXT,
        duration_ms   INTEGER,
        input_tokens  INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        cost_micros   INTEGER NOT NULL,
        title         TEXT,
        updated_at    TEXT    NOT NULL
    );
    CREATE TABLE demo (version INTEGER NOT NULL, rows INTEGER NOT NULL);";

/// After the rows: sorting once is faster than keeping two trees in order.
const INDEXES: &str = "
    CREATE INDEX sessions_by_start ON sessions (org_id, started_at);
    CREATE INDEX sessions_by_update ON sessions (org_id, updated_at);";

const INSERT: &str = "
    INSERT INTO sessions (session_id, org_id, status, agent, model, started_at, finished_at,
                          duration_ms, input_tokens, output_tokens, cost_micros, title, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

/// Makes sure that `path` holds the demo with `rows` rows for `org_demo` (and an eighth and a
/// sixteenth of that for two others). Returns whether it had to be written.
///
/// # Errors
/// When the file cannot be written, or is something else than a demo and so is left alone.
pub fn ensure(path: &Path, rows: u64) -> anyhow::Result<bool> {
    if recorded(path)? == Some((VERSION, i64::try_from(rows)?)) {
        return Ok(false);
    }
    generate(path, rows)?;
    Ok(true)
}

/// Version and row count of the demo at `path`; `None` when nothing is there.
fn recorded(path: &Path) -> anyhow::Result<Option<(i64, i64)>> {
    if !path.try_exists()? {
        return Ok(None);
    }
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let recorded = connection.query_row("SELECT version, rows FROM demo", [], |row| {
        Ok((row.get(0)?, row.get(1)?))
    });
    recorded.map(Some).with_context(|| {
        format!(
            "{} is not a demo of this program; move it away or choose another folder",
            path.display()
        )
    })
}

/// Writes the demo, replacing what is at `path`. A crash leaves the old file or the new one.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn generate(path: &Path, rows: u64) -> anyhow::Result<()> {
    let partial = partial_name(path);
    let context = || format!("cannot write the demo data to {}", path.display());
    write(&partial, rows).with_context(context)?;
    // SQLite was told not to sync; one sync of the whole file does for all.
    File::open(&partial)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(&partial, path))
        .with_context(context)
}

pub(crate) fn partial_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

fn write(path: &Path, rows: u64) -> anyhow::Result<()> {
    if path.try_exists()? {
        fs::remove_file(path)?;
    }
    let mut connection = Connection::open(path)?;
    // Nobody else knows the file yet, and a crash throws it away.
    connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    {
        let mut insert = transaction.prepare(INSERT)?;
        for (organisation, count) in organisations(rows) {
            for number in 0..count {
                let session = Session::of(organisation, number, count);
                insert.execute(params![
                    session.id.to_string(),
                    organisation,
                    session.status,
                    session.agent,
                    session.model,
                    session.started_at,
                    session.finished_at,
                    session.duration_ms,
                    session.input_tokens,
                    session.output_tokens,
                    session.cost_micros,
                    session.title,
                    session.updated_at,
                ])?;
            }
        }
    }
    transaction.execute_batch(INDEXES)?;
    let rows = i64::try_from(rows)?;
    transaction.execute("INSERT INTO demo VALUES (?1, ?2)", params![VERSION, rows])?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(())
}
