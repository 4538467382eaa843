//! An export that became a job: its identity, its states, what it leaves behind.
//!
//! ```text
//!            claim                 publish
//! queued ───────────► running ───────────────► completed ──► expired
//!  │ ▲  ◄──────────────  │ │                    (retention)
//!  │ │  retry, hand-back │ └─► failed ◄── from queued only after an outage of
//!  │ └───────────────────┘                  `exports.give_up_after_hours`
//!  └──► cancelled ◄── from queued and running
//! ```
//!
//! No other transition exists, and each is one guarded UPDATE of the [`ledger`](crate).

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strum::VariantArray as _;
use utoipa::ToSchema;
use uuid::Uuid;
use waybill_report::caller::OrgId;
use waybill_report::encode::Format;
use waybill_report::spec::ReportSpec;

pub use waybill_report::failure::{Failure, FailureCode};

/// `export_` and a UUID of version 7 (RFC 9562) without dashes. Ids of one process rise with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExportId(Uuid);

impl ExportId {
    const PREFIX: &str = "export_";

    /// Makes a new id.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for ExportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, self.0.simple())
    }
}

/// Text that is no export's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of an export")]
pub struct InvalidExportId;

impl FromStr for ExportId {
    type Err = InvalidExportId;

    fn from_str(text: &str) -> Result<Self, InvalidExportId> {
        let hex = text.strip_prefix(Self::PREFIX).ok_or(InvalidExportId)?;
        let canonical = hex.len() == 32
            && hex
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        match Uuid::try_parse(hex) {
            Ok(uuid) if canonical => Ok(Self(uuid)),
            _ => Err(InvalidExportId),
        }
    }
}

/// Where an export is in its life.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ExportStatus {
    /// Accepted; waits for a worker, possibly for another attempt.
    Queued,
    /// A worker holds its lease.
    Running,
    /// The file is published.
    Completed,
    /// It ended without a file; `error` says why.
    Failed,
    /// Its user stopped it.
    Cancelled,
    /// The file's retention is over.
    Expired,
}

impl ExportStatus {
    /// Returns every status.
    #[must_use]
    pub fn all() -> &'static [Self] {
        Self::VARIANTS
    }

    /// Returns the name on the wire and in the ledger.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns the status of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    /// Returns whether a worker may still change it.
    #[must_use]
    pub fn is_unfinished(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}

/// Small exports do not wait behind large ones: a worker keeps some of its slots for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Expected to have no more than `exports.large_rows` rows.
    Small,
    /// Expected to have more, or nobody knows.
    Large,
}

impl Lane {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Small, Self::Large];

    /// Returns the lane of an export that is expected to have so many rows.
    #[must_use]
    pub fn of(expected_rows: Option<u64>, large_rows: u64) -> Self {
        if expected_rows.is_some_and(|rows| rows <= large_rows) {
            Self::Small
        } else {
            Self::Large
        }
    }

    /// Returns the name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Large => "large",
        }
    }

    pub(crate) fn is_large(self) -> bool {
        self == Self::Large
    }
}

/// An export as the ledger holds it.
#[derive(Clone, Debug)]
pub struct Export {
    /// Its id.
    pub id: ExportId,
    /// Whose it is.
    pub org: OrgId,
    /// Where it is in its life.
    pub status: ExportStatus,
    /// What was asked: the query, the format, the name under which the file is downloaded.
    pub spec: ReportSpec,
    /// Rises with every change of anything a client can see, but for times that pass by themselves.
    pub revision: i64,
    /// The fencing token: rises with every claim, never reused; 0 = never claimed.
    pub epoch: i64,
    /// Failures that count toward `max_attempts`.
    pub failures: u32,
    /// How many failures end it.
    pub max_attempts: u32,
    /// Whether a process died while it ran. It runs alone from then on, so that it can only harm
    /// itself.
    pub suspect: bool,
    /// In which lane it waits.
    pub lane: Lane,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When the newest attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it reached a terminal state.
    pub completed_at: Option<DateTime<Utc>>,
    /// When its file goes.
    pub expires_at: Option<DateTime<Utc>>,
    /// The instant of the snapshot that the newest attempt reads.
    pub materialized_at: Option<DateTime<Utc>>,
    /// The newest source row of that snapshot.
    pub source_updated_at: Option<DateTime<Utc>>,
    /// How far the newest attempt is.
    pub progress: Progress,
    /// The published file; present exactly when `completed` or `expired`.
    pub receipt: Option<Receipt>,
    /// Why it failed; present exactly when `failed`.
    pub failure: Option<Failure>,
}

impl Export {
    /// Returns the format of its file.
    #[must_use]
    pub fn format(&self) -> Format {
        self.spec.format.format()
    }

    /// Returns the number of the attempt that runs or will run next, or that was the last.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        (self.failures + 1).min(self.max_attempts)
    }
}

/// How far an attempt is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows encoded.
    pub rows: u64,
    /// Bytes of the file so far.
    pub bytes: u64,
    /// Rows expected, by the planner; `None` where the source has no estimate.
    pub estimated_rows: Option<u64>,
}

/// What a published file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Where it lies in the bucket, below the prefix.
    pub object_key: String,
    /// Data rows, the header not counted.
    pub row_count: u64,
    /// Whether `row_count` equals the query's limit.
    pub limit_reached: bool,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// SHA-256 (FIPS 180-4) of its bytes, in lower-case hex.
    pub sha256: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_their_text_and_nothing_else_is_one() {
        let id = ExportId::generate();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().len(), "export_".len() + 32);
        for wrong in [
            "",
            "export_",
            "export_123",
            &id.to_string().to_uppercase(),
            &format!("{id}0"),
        ] {
            assert_eq!(wrong.parse::<ExportId>(), Err(InvalidExportId), "{wrong}");
        }
    }

    #[test]
    fn ids_rise_with_time() {
        let ids: Vec<ExportId> = (0..1_000).map(|_| ExportId::generate()).collect();
        assert!(ids.is_sorted());
    }

    #[test]
    fn what_nobody_can_estimate_is_large() {
        assert_eq!(Lane::of(Some(10), 10), Lane::Small);
        assert_eq!(Lane::of(Some(11), 10), Lane::Large);
        assert_eq!(Lane::of(None, 10), Lane::Large);
    }

    #[test]
    fn names_read_back() {
        for status in ExportStatus::all() {
            assert_eq!(ExportStatus::from_name(status.name()), Some(*status));
        }
    }
}
