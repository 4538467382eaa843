//! The second round trip: from COPY to batches, and the end of the transaction.
//!
//! It owns what becomes of the connection: kept after a whole result, closed after anything else,
//! and the server's query ended when nobody reads on.

use std::sync::Arc;

use arrow_array::RecordBatch;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::connections::{Connections, Lease};
use super::copy::CopyDecoder;
use super::failure::{Phase, reading_error};
use crate::source::{Reading, SourceError};

type Batches = mpsc::Sender<Result<RecordBatch, SourceError>>;

/// One report that is being read.
pub(super) struct Reader {
    pub(super) lease: Lease,
    pub(super) connections: Arc<Connections>,
    /// The server's process behind the connection.
    pub(super) process: i32,
    pub(super) reading: Reading,
    /// Fires when the snapshot is dropped.
    pub(super) stop: CancellationToken,
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
    pub(super) async fn run(mut self, batches: Batches) {
        let end = tokio::select! {
            biased;
            end = read(&mut self.lease, &self.reading, &batches) => end,
            () = self.stop.cancelled() => End::Abandoned(None),
        };
        match end {
            End::Whole => {
                // The reader has its last row and waits for nothing that follows.
                drop(batches);
                match self.lease.run("COMMIT").await {
                    Ok(()) => self.lease.give_back(),
                    Err(error) => tracing::debug!(%error, "a snapshot could not be closed"),
                }
            }
            End::Failed(error) => drop(batches.send(Err(error)).await),
            End::Abandoned(error) => {
                // Before the connection is closed: until then the process is surely ours.
                if let Err(error) = self.connections.cancel(self.process).await {
                    tracing::warn!(%error, "a query that nobody reads could not be cancelled");
                }
                drop(self.lease);
                if let Some(error) = error {
                    drop(batches.send(Err(error)).await);
                }
            }
        }
    }
}

async fn read(lease: &mut Lease, reading: &Reading, batches: &Batches) -> End {
    let connection = match lease.connection() {
        Ok(connection) => connection,
        Err(error) => return End::Failed(error),
    };
    let copy = format!(
        "COPY (\n{}\n) TO STDOUT (FORMAT binary)",
        reading.statement.report()
    );
    let mut messages = match connection.copy_out_raw(&copy).await {
        Ok(messages) => messages,
        Err(error) => return End::Failed(reading_error(&error, Phase::Begins)),
    };
    let mut decoder = CopyDecoder::new(&reading.columns, |column| {
        reading.statement.sends_numeric(column)
    });
    while let Some(message) = messages.next().await {
        let message = match message {
            Ok(message) => message,
            Err(error) => return End::Failed(reading_error(&error, Phase::Runs)),
        };
        if let Err(error) = decoder.push(&message) {
            return End::Abandoned(Some(error));
        }
        if decoder.is_full() {
            let batch = match decoder.take() {
                Ok(batch) => batch,
                Err(error) => return End::Abandoned(Some(error)),
            };
            if batches.send(Ok(batch)).await.is_err() {
                return End::Abandoned(None);
            }
        }
    }
    match decoder.finish() {
        Ok(None) => End::Whole,
        Ok(Some(batch)) => {
            drop(batches.send(Ok(batch)).await);
            End::Whole
        }
        Err(error) => End::Failed(error),
    }
}
