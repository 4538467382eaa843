//! A claimed export, and the proof of the claim.

use waybill_report::encode::Format;

use crate::export::{Export, ExportId};

/// Which lanes a claim may be from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// Any; a large export first, for which there are fewer slots.
    Any,
    /// The small one.
    Small,
}

impl Lanes {
    pub(crate) fn include_large(self) -> bool {
        self == Self::Any
    }
}

/// A claimed export and the proof of the claim.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The export, `running`.
    pub export: Export,
    /// The right to work on it.
    pub lease: Lease,
}

impl Claim {
    /// Makes the claim of an export that was claimed just now.
    pub(crate) fn of(export: Export) -> Self {
        let lease = Lease {
            export_id: export.id,
            epoch: export.epoch,
        };
        Self { export, lease }
    }
}

/// The right to work on an export: proof of a claim, needed for every change of a running export.
/// It is worth nothing once another epoch began. A claim alone makes one:
///
/// ```compile_fail,E0451
/// use waybill_ledger::Lease;
/// use waybill_ledger::export::ExportId;
///
/// let forged = Lease { export_id: ExportId::generate(), epoch: 1 };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    export_id: ExportId,
    epoch: i64,
}

impl Lease {
    /// Returns the export that it is of.
    #[must_use]
    pub fn export_id(&self) -> ExportId {
        self.export_id
    }

    /// Returns the claim's fencing token.
    #[must_use]
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Returns where this claim's file goes, below the prefix: short, and no other claim writes there.
    #[must_use]
    pub fn object_key(&self, format: Format) -> String {
        format!(
            "exports/{}/{}/{}",
            self.export_id,
            self.epoch,
            format.name()
        )
    }
}
