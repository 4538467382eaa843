//! The second round trip: from COPY to batches, and the end of the transaction.
//!
//! It owns what becomes of the connection: kept after a whole result, closed after anything else,
//! and the server's query ended when nobody reads on.

use std::sync::Arc;

use futures::StreamExt;
use sqlx::Connection;
use sqlx::error::DatabaseError;
use tokio_util::sync::CancellationToken;

use super::connections::{Connections, PooledConnection};
use super::copy::{CopyDecoder, NO_UTF_8};
use super::error::{Phase, reading_error};
use super::guard::SizeGuard;
use super::statement::Statement;
use crate::column::{Column, ColumnType};
use crate::source::batches::{Abandoned, BatchSender};
use crate::source::error::SourceError;

/// One report that is being read.
pub(super) struct Reader {
    pub(super) pooled: PooledConnection,
    pub(super) connections: Arc<Connections>,
    /// The server's process behind the connection.
    pub(super) process: i32,
    pub(super) reading: GuardedReading,
    /// Fires when the snapshot is dropped.
    pub(super) stop: CancellationToken,
}

/// What is read, by a statement that refuses what is too large in the words of its guard.
pub(super) struct GuardedReading {
    pub(super) statement: Statement,
    pub(super) columns: Vec<Column>,
    pub(super) guard: SizeGuard,
}

/// How the reading ended.
enum End {
    /// With the last row: the connection is ready for the next statement.
    Whole,
    /// With an error after which the server runs nothing.
    Failed(SourceError),
    /// With an error, or because nobody reads on, while the server still sends.
    Abandoned(Option<SourceError>),
}

impl Reader {
    pub(super) async fn run(mut self, batches: BatchSender) {
        let end = tokio::select! {
            biased;
            end = read(&mut self.pooled, &self.reading, &batches) => end,
            () = self.stop.cancelled() => End::Abandoned(None),
        };
        match end {
            End::Whole => {
                // The reader has its last row and waits for nothing that follows.
                drop(batches);
                match self.pooled.run("COMMIT").await {
                    Ok(()) => {
                        // It may have grown to several times the largest row.
                        if let Ok(connection) = self.pooled.connection() {
                            connection.shrink_buffers();
                        }
                        self.pooled.give_back();
                    }
                    Err(error) => tracing::debug!(%error, "a snapshot could not be closed"),
                }
            }
            End::Failed(error) => batches.fail(error).await,
            End::Abandoned(error) => {
                // Before the connection is closed: until then the process is surely ours.
                if let Err(error) = self.connections.cancel(self.process).await {
                    tracing::warn!(%error, "a query that nobody reads could not be cancelled");
                }
                drop(self.pooled);
                if let Some(error) = error {
                    batches.fail(error).await;
                }
            }
        }
    }
}

async fn read(
    pooled: &mut PooledConnection,
    reading: &GuardedReading,
    batches: &BatchSender,
) -> End {
    let connection = match pooled.connection() {
        Ok(connection) => connection,
        Err(error) => return End::Failed(error),
    };
    let copy = format!(
        "COPY (\n{}\n) TO STDOUT (FORMAT binary)",
        reading.statement.report()
    );
    let mut messages = match connection.copy_out_raw(&copy).await {
        Ok(messages) => messages,
        Err(error) => return End::Failed(read_error(&error, Phase::Begins, reading)),
    };
    let mut decoder = CopyDecoder::new(&reading.columns, reading.guard.limits, |column| {
        reading.statement.sends_numeric(column)
    });
    while let Some(message) = messages.next().await {
        let message = match message {
            Ok(message) => message,
            Err(error) => {
                let error = read_error(&error, Phase::Runs, reading);
                return End::Failed(of_text(error, &reading.columns, decoder.next_row()));
            }
        };
        if let Err(error) = decoder.push(&message) {
            return End::Abandoned(Some(error));
        }
        drop(message);
        if decoder.is_full() {
            let bytes = decoder.bytes();
            let batch = match decoder.take() {
                Ok(batch) => batch,
                Err(error) => return End::Abandoned(Some(error)),
            };
            if let Err(Abandoned) = batches.send(batch, bytes).await {
                return End::Abandoned(None);
            }
        }
    }
    let bytes = decoder.bytes();
    match decoder.finish() {
        Ok(None) => End::Whole,
        Ok(Some(batch)) => {
            // Whether anybody takes it or not, the connection is ready.
            drop(batches.send(batch, bytes).await);
            End::Whole
        }
        Err(error) => End::Failed(error),
    }
}

/// A text that the server cannot send in UTF-8. It names no column: those of texts.
fn of_text(error: SourceError, columns: &[Column], row: u64) -> SourceError {
    let SourceError::Query(fault) = &error else {
        return error;
    };
    let has_text =
        |column: &&Column| matches!(column.column_type, ColumnType::String | ColumnType::Json);
    let texts: Vec<&str> = (columns.iter().filter(has_text))
        .map(|column| column.name.as_str())
        .collect();
    match fault.sqlstate.as_deref() {
        Some("22021" | "22P05") if !texts.is_empty() => SourceError::Value {
            column: texts.join(" or "),
            row: Some(row),
            reason: NO_UTF_8.to_owned(),
        },
        _ => error,
    }
}

/// What the statement itself refuses is no fault of it.
fn read_error(error: &sqlx::Error, phase: Phase, reading: &GuardedReading) -> SourceError {
    let told = error.as_database_error().map(DatabaseError::message);
    told.and_then(|text| reading.guard.oversize(text, &reading.columns))
        .map_or_else(|| reading_error(error, phase), SourceError::TooLarge)
}
