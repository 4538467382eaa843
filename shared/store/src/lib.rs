//! Objects in S3-compatible storage: uploads, links, removal. aws-sdk-s3 and nothing else.
//!
//! It knows keys and bytes, not exports. Every request of this program to a store stands in `bucket`,
//! `upload`, `part` or `presign`; what a failed one means is said by `error`.
//!
//! ```no_run
//! # async fn example(settings: &waybill_config::StorageSettings) -> Result<(), waybill_store::BucketError> {
//! use std::time::Duration;
//!
//! let bucket = waybill_store::Bucket::new("waybill", settings).await;
//! let mut upload = bucket.start_upload("exports/1", "text/csv", "sessions.csv").await?;
//! upload.buffer().extend_from_slice(b"day,sessions\r\n");
//! upload.write().await?;
//! let stored = upload.finish().await?;
//! let link = bucket.link("exports/1", "text/csv", "sessions.csv", Duration::from_secs(900)).await?;
//! println!("{} bytes at {}", stored.size_bytes, link.url);
//! # Ok(())
//! # }
//! ```

#![deny(missing_docs)]

mod attempts;
mod bucket;
mod clock;
mod error;
mod limits;
mod metrics;
mod part;
mod presign;
mod request_policy;
#[cfg(test)]
mod tests;
mod upload;

pub use bucket::{Bucket, attachment};
pub use clock::ClockDifference;
pub use error::BucketError;
pub use limits::{MAX_LINK, MAX_PARTS, PART_BYTES};
pub use metrics::StoreMetrics;
pub use presign::Link;
pub use upload::{Stored, Upload};
