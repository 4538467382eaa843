//! One multipart upload: bytes in, parts out, a bounded number of them on the way.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use super::{Bucket, BucketError, bucket_error};

/// Bytes of every part but the last. S3 asks for 5 MiB at least, some stores for equal parts.
pub const PART_BYTES: usize = 8 * 1024 * 1024;
/// S3's limit of parts in one upload.
pub const MAX_PARTS: usize = 10_000;
/// Parts on the way at the same time. With the one being filled this bounds an upload's memory.
const PARTS_IN_FLIGHT: usize = 2;

/// An upload that nobody sees until [`finish`](Upload::finish). Dropped without an end, it stays
/// unfinished in the store until its record in the ledger leads to its abortion.
#[derive(Debug)]
pub struct Upload {
    bucket: Bucket,
    key: String,
    id: String,
    /// The part being filled; never longer than one part and what one batch adds to it.
    filling: Vec<u8>,
    in_flight: JoinSet<Result<SentPart, BucketError>>,
    /// Buffers of sent parts, to be filled again.
    spare: Vec<Vec<u8>>,
    started: usize,
    sent: Vec<CompletedPart>,
    size_bytes: u64,
    sha256: Sha256,
}

#[derive(Debug)]
struct SentPart {
    part: CompletedPart,
    buffer: Vec<u8>,
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
        Self {
            bucket,
            key,
            id,
            filling: Vec::new(),
            in_flight: JoinSet::new(),
            spare: Vec::new(),
            started: 0,
            sent: Vec::new(),
            size_bytes: 0,
            sha256: Sha256::new(),
        }
    }

    /// The store's id of the upload.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Bytes appended so far.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes + self.filling.len() as u64
    }

    /// Where to append the file's next bytes; call [`write`](Self::write) after each batch.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.filling
    }

    /// Sends the parts that are full. Waits while too many are on the way: this is where a slow
    /// store slows the source down.
    ///
    /// # Errors
    /// [`BucketError`] of this or an earlier part; the upload is of no use then.
    pub async fn write(&mut self) -> Result<(), BucketError> {
        while self.filling.len() >= PART_BYTES {
            let mut next = self.spare.pop().unwrap_or_default();
            next.extend_from_slice(&self.filling[PART_BYTES..]);
            self.filling.truncate(PART_BYTES);
            let full = std::mem::replace(&mut self.filling, next);
            self.send(full).await?;
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
            let last = std::mem::take(&mut self.filling);
            self.send(last).await?;
        }
        while !self.in_flight.is_empty() {
            self.await_part().await?;
        }
        let mut parts = std::mem::take(&mut self.sent);
        parts.sort_unstable_by_key(|part| part.part_number);
        let contiguous = parts
            .iter()
            .zip(1..)
            .all(|(part, number)| part.part_number == Some(number));
        if !contiguous || parts.len() != self.started {
            return Err(BucketError::Refused(
                "the parts of the upload do not add up".to_owned(),
            ));
        }
        let bucket = &self.bucket;
        bucket
            .client
            .complete_multipart_upload()
            .bucket(&bucket.name)
            .key(bucket.full_key(&self.key))
            .upload_id(&self.id)
            .multipart_upload(
                CompletedMultipartUpload::builder()
                    .set_parts(Some(parts))
                    .build(),
            )
            .send()
            .await
            .map_err(bucket_error)?;
        Ok(Stored {
            size_bytes: self.size_bytes,
            sha256: hex(&self.sha256.finalize()),
        })
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

    async fn send(&mut self, bytes: Vec<u8>) -> Result<(), BucketError> {
        if self.started == MAX_PARTS {
            return Err(BucketError::TooLarge);
        }
        while self.in_flight.len() >= PARTS_IN_FLIGHT {
            self.await_part().await?;
        }
        self.started += 1;
        self.size_bytes += bytes.len() as u64;
        self.sha256.update(&bytes);
        let number = i32::try_from(self.started).map_err(|_| BucketError::TooLarge)?;
        let (bucket, key, id) = (self.bucket.clone(), self.key.clone(), self.id.clone());
        self.in_flight.spawn(async move {
            let bytes = Bytes::from(bytes);
            let sent = bucket
                .client
                .upload_part()
                .bucket(&bucket.name)
                .key(bucket.full_key(&key))
                .upload_id(id)
                .part_number(number)
                .body(ByteStream::from(bytes.clone()))
                .send()
                .await
                .map_err(bucket_error)?;
            // The client has dropped its clone, so this takes the allocation back without a copy.
            let mut buffer = Vec::from(bytes);
            buffer.clear();
            let part = CompletedPart::builder()
                .part_number(number)
                .set_e_tag(sent.e_tag)
                .set_checksum_crc32(sent.checksum_crc32)
                .set_checksum_crc32_c(sent.checksum_crc32_c)
                .set_checksum_crc64_nvme(sent.checksum_crc64_nvme)
                .build();
            Ok(SentPart { part, buffer })
        });
        Ok(())
    }

    async fn await_part(&mut self) -> Result<(), BucketError> {
        let Some(joined) = self.in_flight.join_next().await else {
            return Ok(());
        };
        let sent = joined.map_err(|error| BucketError::Unavailable(error.to_string()))??;
        self.sent.push(sent.part);
        self.spare.push(sent.buffer);
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
