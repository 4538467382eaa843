//! What it means that a claim is worth nothing any more.

use waybill_ledger::export::ExportStatus;
use waybill_ledger::metrics::Outcome;
use waybill_ledger::{Changes, Claim};

/// Returns why the lease of a claim was found lost. Mostly its client wanted the export no longer, which
/// is as it should be; or this claim's own end had been recorded, and the ledger's answer was lost.
pub(crate) async fn outcome_of_loss(changes: &dyn Changes, claim: &Claim) -> Outcome {
    let Ok(now) = changes.get_many(&[claim.lease.export_id()]).await else {
        return Outcome::LeaseLost;
    };
    match now.first() {
        None => Outcome::Stopped,
        Some(now) if now.status == ExportStatus::Cancelled => Outcome::Stopped,
        Some(now) if now.status == ExportStatus::Completed && now.epoch == claim.lease.epoch() => {
            Outcome::Completed
        }
        Some(_) => Outcome::LeaseLost,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tempfile::TempDir;
    use waybill_ledger::Lanes;
    use waybill_ledger::database::Database;
    use waybill_ledger::export::Receipt;

    use super::*;
    use crate::sample::{LEASE, claimed};

    #[tokio::test]
    async fn what_took_a_claim_away_is_told_apart() {
        let folder = TempDir::new().expect("a folder");
        let database = Database::open_file(&folder.path().join("ledger.sqlite")).await;
        let ledger = Arc::clone(&database.expect("a ledger").ledger);
        let ledger = ledger.as_ref();

        let (cancelled, scope) = claimed(ledger).await;
        let id = cancelled.lease.export_id();
        ledger.cancel(&scope, id).await.expect("cancelled");
        assert_eq!(outcome_of_loss(ledger, &cancelled).await, Outcome::Stopped);
        ledger.delete(&scope, id).await.expect("deleted");
        assert_eq!(outcome_of_loss(ledger, &cancelled).await, Outcome::Stopped);

        let (lapsed, _) = claimed(ledger).await;
        ledger.requeue_lapsed(true).await.expect("requeued");
        assert_eq!(outcome_of_loss(ledger, &lapsed).await, Outcome::LeaseLost);
        let again = ledger.claim_next(LEASE, Lanes::Any).await;
        let again = again.expect("the ledger").expect("the same export");
        assert_eq!(outcome_of_loss(ledger, &lapsed).await, Outcome::LeaseLost);

        let receipt = Receipt {
            object_key: "exports/x/2/csv".to_owned(),
            row_count: 1,
            limit_reached: false,
            size_bytes: 1,
            sha256: "ab".repeat(32),
        };
        let completed = ledger.complete(&again.lease, &receipt, LEASE).await;
        completed.expect("the lease is good");
        assert_eq!(outcome_of_loss(ledger, &again).await, Outcome::Completed);
        assert_eq!(outcome_of_loss(ledger, &lapsed).await, Outcome::LeaseLost);
    }
}
