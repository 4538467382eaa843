//! One multipart upload: bytes in, parts out, a bounded number of them on the way.
//!
//! What encodes only fills a buffer. Hashing, signing and sending a part is a task of its own, so that a
//! second core does them; the hash of the whole file goes from part to part, in their order.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::bucket::{Bucket, attachment};
use crate::error::{BucketError, bucket_error};
use crate::limits::{MAX_PARTS, PART_BYTES};
use crate::part::{Part, SentPart, lost_part};

/// Parts on the way at the same time. With the one being filled this bounds an upload's memory.
const PARTS_IN_FLIGHT: usize = 2;
/// Room for what is added before a full part is noticed, so that a buffer does not move while it is filled.
const OVERFLOW_BYTES: usize = 1024 * 1024;

/// An upload that nobody sees until [`finish`](Upload::finish). Dropped without an end, it stays
/// unfinished in the store until its record in the ledger leads to its abortion.
#[derive(Debug)]
pub struct Upload {
    bucket: Bucket,
    key: String,
    id: String,
    /// The part being filled; never longer than one part and what is appended at once.
    filling: Vec<u8>,
    in_flight: JoinSet<Result<SentPart, BucketError>>,
    most_in_flight: usize,
    /// Buffers of sent parts, to be filled again.
    spare: Vec<Vec<u8>>,
    /// Parts that were given to a task.
    started: usize,
    started_bytes: u64,
    sent: Vec<CompletedPart>,
    sent_bytes: u64,
    /// The hash of the file up to the last part that was started, once that part is hashed.
    sha256: oneshot::Receiver<Sha256>,
}

/// What was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Bytes.
    pub size_bytes: u64,
    /// SHA-256 of the bytes that were sent, in lower-case hex.
    pub sha256: String,
}

impl Upload {
    pub(super) fn new(bucket: Bucket, key: String, id: String) -> Self {
        let (first, sha256) = oneshot::channel();
        // The receiver is here, so it is there.
        drop(first.send(Sha256::new()));
        Self {
            bucket,
            key,
            id,
            filling: Vec::new(),
            in_flight: JoinSet::new(),
            most_in_flight: PARTS_IN_FLIGHT,
            spare: Vec::new(),
            started: 0,
            started_bytes: 0,
            sent: Vec::new(),
            sent_bytes: 0,
            sha256,
        }
    }

    /// Returns the store's id of the upload.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the bytes appended so far.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.started_bytes + self.filling.len() as u64
    }

    /// Returns where to append the file's next bytes; call [`write`](Self::write) after
    /// every few hundred kilobytes.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        // Not before the first byte is to come: most files are small, and untouched memory is free.
        if self.filling.capacity() == 0 {
            self.filling.reserve_exact(PART_BYTES + OVERFLOW_BYTES);
        }
        &mut self.filling
    }

    /// Appends a piece that may be as large as a part or larger, and sends parts as they are full; from
    /// now on one at a time is on its way, for such pieces take the memory of another.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn append(&mut self, piece: &[u8]) -> Result<(), BucketError> {
        self.most_in_flight = 1;
        let mut left = piece;
        while !left.is_empty() {
            let room = PART_BYTES.saturating_sub(self.filling.len());
            let (fits, rest) = left.split_at(room.min(left.len()));
            self.buffer().extend_from_slice(fits);
            left = rest;
            self.write().await?;
        }
        Ok(())
    }

    /// Sends the parts that are full. Waits while too many are on the way: this is where a slow
    /// store slows the source down.
    ///
    /// # Errors
    /// [`BucketError`] of this or an earlier part; the upload is of no use then.
    pub async fn write(&mut self) -> Result<(), BucketError> {
        while self.filling.len() >= PART_BYTES {
            self.make_room().await?;
            let mut next = self.spare.pop().unwrap_or_default();
            next.reserve_exact(PART_BYTES + OVERFLOW_BYTES);
            if self.filling.len() - PART_BYTES <= OVERFLOW_BYTES {
                next.extend_from_slice(&self.filling[PART_BYTES..]);
                self.filling.truncate(PART_BYTES);
                let full = std::mem::replace(&mut self.filling, next);
                self.send(full)?;
            } else {
                // Cut off in front, so that no second buffer grows as large.
                next.extend_from_slice(&self.filling[..PART_BYTES]);
                self.filling.drain(..PART_BYTES);
                self.send(next)?;
            }
        }
        // Most rows fit into the room for what is too much. One that did not is gone by now.
        if self.filling.capacity() > PART_BYTES + OVERFLOW_BYTES {
            self.filling.shrink_to(PART_BYTES + OVERFLOW_BYTES);
        }
        Ok(())
    }

    /// Sends the rest and publishes the object under its key.
    ///
    /// # Errors
    /// [`BucketError`]. When the last request's answer was lost, the object may exist all the same.
    pub async fn finish(mut self) -> Result<Stored, BucketError> {
        self.write().await?;
        if !self.filling.is_empty() || self.started == 0 {
            self.make_room().await?;
            let last = std::mem::take(&mut self.filling);
            self.send(last)?;
        }
        while !self.in_flight.is_empty() {
            self.await_part().await?;
        }
        let parts = self.whole()?;
        self.join(parts).await
    }

    /// Drops the upload and its parts.
    ///
    /// # Errors
    /// [`BucketError`]; the parts may still be there.
    pub async fn abort(mut self) -> Result<(), BucketError> {
        // A part that arrives after the abortion would stay.
        self.in_flight.shutdown().await;
        self.bucket.abort_upload(&self.key, &self.id).await
    }

    /// Waits until another part may go.
    async fn make_room(&mut self) -> Result<(), BucketError> {
        while self.in_flight.len() >= self.most_in_flight {
            self.await_part().await?;
        }
        Ok(())
    }

    fn send(&mut self, bytes: Vec<u8>) -> Result<(), BucketError> {
        if self.started == MAX_PARTS {
            return Err(BucketError::TooLarge);
        }
        self.started += 1;
        self.started_bytes += bytes.len() as u64;
        let (hash_after, next) = oneshot::channel();
        let part = Part {
            number: i32::try_from(self.started).map_err(|_| BucketError::TooLarge)?,
            bytes,
            hash_before: std::mem::replace(&mut self.sha256, next),
            hash_after,
        };
        let (bucket, key, id) = (self.bucket.clone(), self.key.clone(), self.id.clone());
        self.in_flight
            .spawn(async move { bucket.send_part(&key, &id, part).await });
        Ok(())
    }

    async fn await_part(&mut self) -> Result<(), BucketError> {
        let Some(joined) = self.in_flight.join_next().await else {
            return Ok(());
        };
        let sent = joined.map_err(|error| BucketError::Unavailable(error.to_string()))??;
        self.sent.push(sent.part);
        self.sent_bytes += sent.size_bytes;
        self.spare.extend(sent.buffer);
        Ok(())
    }

    /// Every part in its order, once nothing is missing.
    fn whole(&mut self) -> Result<Vec<CompletedPart>, BucketError> {
        let mut parts = std::mem::take(&mut self.sent);
        parts.sort_unstable_by_key(|part| part.part_number);
        let contiguous = parts
            .iter()
            .zip(1..)
            .all(|(part, number)| part.part_number == Some(number));
        let whole = parts.len() == self.started && self.sent_bytes == self.started_bytes;
        if contiguous && whole {
            Ok(parts)
        } else {
            Err(BucketError::Refused(
                "the parts of the upload do not add up".to_owned(),
            ))
        }
    }

    /// Publishes the object: the parts become one.
    pub(super) async fn join(self, parts: Vec<CompletedPart>) -> Result<Stored, BucketError> {
        let sha256 = self.sha256.await.map_err(|_| lost_part())?;
        let stored = Stored {
            size_bytes: self.sent_bytes,
            sha256: hex::encode(sha256.finalize()),
        };
        let (bucket, policy) = (&self.bucket, self.bucket.policy);
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts));
        let joined = bucket
            .client
            .complete_multipart_upload()
            .bucket(&bucket.name)
            .key(bucket.full_key(&self.key))
            .upload_id(&self.id)
            .multipart_upload(parts.build())
            .customize()
            .config_override(
                aws_sdk_s3::config::Builder::new().timeout_config(policy.timeouts(policy.joining)),
            )
            .send()
            .await;
        let Err(error) = joined else {
            return Ok(stored);
        };
        let unknown = error.code() == Some("NoSuchUpload");
        let error = bucket_error(error);
        let refused = matches!(
            error,
            BucketError::Refused(_) | BucketError::Misconfigured(_)
        );
        // An earlier attempt may have succeeded although its answer was lost. Nobody else writes under
        // this key.
        if (unknown || refused) && bucket.size_of(&self.key).await? == Some(stored.size_bytes) {
            Ok(stored)
        } else {
            Err(error)
        }
    }
}

impl Bucket {
    /// Begins an upload. Nothing is visible under the key until [`Upload::finish`].
    ///
    /// # Errors
    /// [`BucketError`] of the store.
    pub async fn start_upload(
        &self,
        key: &str,
        content_type: &str,
        filename: &str,
    ) -> Result<Upload, BucketError> {
        let created = self
            .client
            .create_multipart_upload()
            .bucket(&self.name)
            .key(self.full_key(key))
            .content_type(content_type)
            .content_disposition(attachment(filename))
            .send()
            .await
            .map_err(bucket_error)?;
        let id = created
            .upload_id()
            .ok_or_else(|| BucketError::Refused("it began an upload without an id".to_owned()))?;
        Ok(Upload::new(self.clone(), key.to_owned(), id.to_owned()))
    }
}

#[cfg(test)]
impl Upload {
    /// The same, as if so many parts had been sent.
    pub(super) fn after_parts(mut self, parts: usize) -> Self {
        self.started = parts;
        self
    }

    /// An upload whose parts were joined by a request whose answer was lost.
    pub(super) fn joined_before(bucket: Bucket, key: &str, id: &str, size_bytes: u64) -> Self {
        let mut upload = Self::new(bucket, key.to_owned(), id.to_owned());
        upload.sent_bytes = size_bytes;
        upload
    }
}
