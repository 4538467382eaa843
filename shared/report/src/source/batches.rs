//! From the one who reads to the one who encodes: batches in their order, and no more of them at a
//! time than a number of bytes.
//!
//! It knows how large a batch is and nothing of what is in it. What is much larger than a batch should be
//! goes alone, of all that the process reads: it is not even read on until that batch is done with.

use std::sync::Arc;

use arrow_array::RecordBatch;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, SemaphorePermit, mpsc};

use super::error::SourceError;

/// The most rows of one batch.
pub const BATCH_ROWS: usize = 4_096;
/// How many batches may be ahead of the encoder, and how many times a batch's bytes there is room for:
/// these and the one that is being encoded.
const BATCHES_AHEAD: usize = 2;
/// A batch of more bytes goes alone: rows of several MiB. No answer at once has such rows.
const LARGE_BYTES: usize = 4 * 1024 * 1024;
/// Held while a large batch is encoded, and while the one after it is read: each of them is several times
/// in memory until then.
static ALONE: Semaphore = Semaphore::const_new(1);
/// The room is counted in pieces of so many bytes.
const PIECE: usize = 1_024;

/// Nobody takes batches any more.
#[derive(Debug)]
pub(super) struct Abandoned;

/// A batch, and the room that it takes until it is done with.
type Sized = (RecordBatch, OwnedSemaphorePermit);

/// A way from a source to its reader whose batches have about `batch_bytes`.
pub(super) fn channel(batch_bytes: usize) -> (BatchSender, BatchReceiver) {
    let pieces = (BATCHES_AHEAD + 1) * batch_bytes.div_ceil(PIECE);
    let room = Arc::new(Semaphore::new(pieces));
    let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
    let sender = BatchSender {
        batches: sender,
        room: Arc::clone(&room),
        alone: Mutex::default(),
        pieces: u32::try_from(pieces).unwrap_or(u32::MAX),
    };
    let receiver = BatchReceiver {
        batches: receiver,
        current: None,
        room,
    };
    (sender, receiver)
}

/// The end at the source.
pub(super) struct BatchSender {
    batches: mpsc::Sender<Result<Sized, SourceError>>,
    room: Arc<Semaphore>,
    /// Of the whole room.
    pieces: u32,
    alone: Mutex<Option<SemaphorePermit<'static>>>,
}

impl BatchSender {
    /// Hands over a batch of so many bytes once there is room for it. After a large one it waits until
    /// that is done with.
    pub(super) async fn send(&self, batch: RecordBatch, bytes: usize) -> Result<(), Abandoned> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE)).unwrap_or(u32::MAX);
        let is_large = bytes > LARGE_BYTES;
        let mut alone = self.alone.lock().await;
        if is_large && alone.is_none() {
            *alone = Some(self.alone().await?);
        }
        let pieces = pieces.clamp(1, self.pieces);
        let room = Arc::clone(&self.room);
        let permit = room.acquire_many_owned(pieces).await;
        // What one thread allocates and another frees the allocator gives back much later.
        let freed_here = is_large.then(|| batch.clone());
        let batch = (batch, permit.map_err(|_| Abandoned)?);
        self.batches.send(Ok(batch)).await.map_err(|_| Abandoned)?;
        if is_large {
            let all = self.room.acquire_many(self.pieces).await;
            drop(all.map_err(|_| Abandoned)?);
            drop(freed_here);
            // Others first, in their turn.
            *alone = None;
            *alone = Some(self.alone().await?);
        } else {
            *alone = None;
        }
        Ok(())
    }

    async fn alone(&self) -> Result<SemaphorePermit<'static>, Abandoned> {
        tokio::select! {
            permit = ALONE.acquire() => permit.map_err(|_| Abandoned),
            () = self.batches.closed() => Err(Abandoned),
        }
    }

    /// As [`send`](Self::send), from a thread that may block.
    pub(super) fn blocking_send(&self, batch: RecordBatch, bytes: usize) -> Result<(), Abandoned> {
        Handle::current().block_on(self.send(batch, bytes))
    }

    /// Hands over why there are no more batches, if anybody cares.
    pub(super) async fn fail(&self, error: SourceError) {
        drop(self.batches.send(Err(error)).await);
    }

    /// As [`fail`](Self::fail), from a thread that may block.
    pub(super) fn blocking_fail(&self, error: SourceError) {
        drop(self.batches.blocking_send(Err(error)));
    }
}

/// The end at the encoder. Dropped, it ends whoever waits for room.
pub(super) struct BatchReceiver {
    batches: mpsc::Receiver<Result<Sized, SourceError>>,
    /// The room of the batch that was taken last.
    current: Option<OwnedSemaphorePermit>,
    room: Arc<Semaphore>,
}

impl BatchReceiver {
    /// The next batch; the one before is done with.
    pub(super) async fn next(&mut self) -> Option<Result<RecordBatch, SourceError>> {
        self.current = None;
        let next = self.batches.recv().await?;
        Some(next.map(|(batch, permit)| {
            self.current = Some(permit);
            batch
        }))
    }
}

impl Drop for BatchReceiver {
    fn drop(&mut self) {
        self.room.close();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use arrow_schema::Schema;
    use futures::poll;

    use super::*;

    const BYTES: usize = 64 * 1024;

    fn batch() -> RecordBatch {
        RecordBatch::new_empty(Arc::new(Schema::empty()))
    }

    #[tokio::test]
    async fn small_batches_run_ahead_and_large_ones_go_alone() {
        let (sender, mut receiver) = channel(BYTES);
        for _ in 0..BATCHES_AHEAD {
            sender.send(batch(), BYTES).await.expect("there is room");
        }
        receiver.next().await.expect("one").expect("a batch");
        sender.send(batch(), BYTES).await.expect("there is room");
        {
            let mut further = Box::pin(sender.send(batch(), BYTES));
            assert!(poll!(&mut further).is_pending(), "three are not done with");
            receiver.next().await.expect("one").expect("a batch");
            further.await.expect("there is room");
        }
        for _ in 0..2 {
            receiver.next().await.expect("one").expect("a batch");
        }
        let mut large = Box::pin(sender.send(batch(), LARGE_BYTES + 1));
        assert!(poll!(&mut large).is_pending(), "one is being encoded");
        tokio::select! {
            _ = &mut large => panic!("it is not done with"),
            next = receiver.next() => drop(next.expect("one").expect("the large batch")),
        }
        assert!(poll!(&mut large).is_pending(), "it is not done with");
        assert_eq!(poll!(Box::pin(receiver.next())).map(|_| ()), Poll::Pending);
        large.await.expect("it is done with");
    }

    #[tokio::test]
    async fn who_waits_for_room_learns_that_nobody_listens() {
        let (sender, receiver) = channel(BYTES);
        sender
            .send(batch(), 2 * BYTES)
            .await
            .expect("there is room");
        let mut waiting = Box::pin(sender.send(batch(), 2 * BYTES));
        assert!(poll!(&mut waiting).is_pending());
        drop(receiver);
        assert!(waiting.await.is_err());
    }

    #[tokio::test]
    async fn an_error_needs_no_room() {
        let (sender, mut receiver) = channel(BYTES);
        sender
            .send(batch(), 2 * BYTES)
            .await
            .expect("there is room");
        sender.fail(SourceError::Stopped).await;
        receiver.next().await.expect("one").expect("a batch");
        assert!(matches!(
            receiver.next().await,
            Some(Err(SourceError::Stopped))
        ));
    }
}
