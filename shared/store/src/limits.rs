//! What S3 bounds, and what this program makes of it.

use std::time::Duration;

/// The longest life of a presigned URL (signature version 4): seven days.
pub const MAX_LINK: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Bytes of every part but the last. S3 asks for 5 MiB at least, some stores for equal parts.
pub const PART_BYTES: usize = 8 * 1024 * 1024;
/// S3's limit of parts in one upload.
pub const MAX_PARTS: usize = 10_000;
