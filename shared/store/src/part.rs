//! One part of an upload on its way: hashed, signed and sent.

use std::time::Instant;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::CompletedPart;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;

use crate::attempts::Attempts;
use crate::bucket::Bucket;
use crate::error::{BucketError, bucket_error};

/// A part that is to be sent: which one it is, and its place in the hash of the file.
pub(super) struct Part {
    pub(super) number: i32,
    pub(super) bytes: Vec<u8>,
    pub(super) hash_before: oneshot::Receiver<Sha256>,
    pub(super) hash_after: oneshot::Sender<Sha256>,
}

/// A part that the store has.
#[derive(Debug)]
pub(super) struct SentPart {
    pub(super) part: CompletedPart,
    pub(super) size_bytes: u64,
    /// Empty, with its allocation; `None` if somebody still holds that.
    pub(super) buffer: Option<Vec<u8>>,
}

impl Bucket {
    /// Sends a part, after the hash of the parts before it went on through it.
    pub(super) async fn send_part(
        &self,
        key: &str,
        id: &str,
        part: Part,
    ) -> Result<SentPart, BucketError> {
        let Part {
            number,
            bytes,
            hash_before,
            hash_after,
        } = part;
        let mut sha256 = hash_before.await.map_err(|_| lost_part())?;
        sha256.update(&bytes);
        // Nobody waits for it once the upload is given up.
        drop(hash_after.send(sha256));

        let size_bytes = bytes.len() as u64;
        let bytes = Bytes::from(bytes);
        let request = self
            .client
            .upload_part()
            .bucket(&self.name)
            .key(self.full_key(key))
            .upload_id(id)
            .part_number(number)
            .body(ByteStream::from(bytes.clone()))
            .customize()
            .interceptor(Attempts::counted_by(&self.metrics));
        let request = if self.over_tls {
            request.disable_payload_signing()
        } else {
            request
        };
        let began = Instant::now();
        let sent = request.send().await.map_err(bucket_error);
        let sent = sent.inspect_err(|_| self.metrics.failed())?;
        self.metrics.stored(began.elapsed(), size_bytes);
        // Almost always nobody else holds it by now, and this takes the allocation without a copy.
        let buffer = bytes.is_unique().then(|| {
            let mut buffer = Vec::from(bytes);
            buffer.clear();
            buffer
        });
        let part = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .set_checksum_crc32_c(sent.checksum_crc32_c)
            .set_checksum_crc64_nvme(sent.checksum_crc64_nvme)
            .build();
        Ok(SentPart {
            part,
            size_bytes,
            buffer,
        })
    }
}

/// Returns what is told when a part before this one ended without an answer, by a panic or because the
/// upload was given up.
pub(super) fn lost_part() -> BucketError {
    BucketError::Unavailable("an earlier part of the upload was lost".to_owned())
}
