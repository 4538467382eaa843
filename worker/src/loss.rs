//! What it means that a claim is worth nothing any more.

use waybill_shared::caller::Scope;
use waybill_shared::export::ExportStatus;
use waybill_shared::ledger::{Claim, Ledger};
use waybill_shared::metrics::Outcome;

/// Why the lease of a claim was found lost. Mostly its client wanted the export no longer, which is as it
/// should be; or this claim's own end had been recorded, and the ledger's answer was lost.
pub(crate) async fn outcome_of_loss(ledger: &dyn Ledger, claim: &Claim) -> Outcome {
    let scope = Scope {
        org: claim.export.org.clone(),
        made_by: None,
    };
    let now = match ledger.get(&scope, claim.lease.export_id).await {
        Ok(now) => now,
        Err(_) => return Outcome::LeaseLost,
    };
    match now {
        None => Outcome::Stopped,
        Some(now) if now.status == ExportStatus::Cancelled => Outcome::Stopped,
        Some(now) if now.status == ExportStatus::Completed && now.epoch == claim.lease.epoch => {
            Outcome::Completed
        }
        Some(_) => Outcome::LeaseLost,
    }
}
