//! What it means that a claim is worth nothing any more.

use waybill_ledger::export::ExportStatus;
use waybill_ledger::metrics::Outcome;
use waybill_ledger::{Claim, Ledger};
use waybill_report::caller::Scope;

/// Why the lease of a claim was found lost. Mostly its client wanted the export no longer, which is as it
/// should be; or this claim's own end had been recorded, and the ledger's answer was lost.
pub(crate) async fn outcome_of_loss(ledger: &dyn Ledger, claim: &Claim) -> Outcome {
    let scope = Scope {
        org: claim.export.org.clone(),
        made_by: None,
    };
    let now = match ledger.get(&scope, claim.lease.export_id()).await {
        Ok(now) => now,
        Err(_) => return Outcome::LeaseLost,
    };
    match now {
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
    use std::time::Duration;

    use serde_json::json;
    use tempfile::TempDir;
    use waybill_ledger::database::Database;
    use waybill_ledger::export::Receipt;
    use waybill_ledger::{Enqueued, Lane, Lanes, NewExport, Terms};
    use waybill_report::caller::OrgId;
    use waybill_report::encode::Format;
    use waybill_report::spec::ReportSpec;

    use super::*;

    const LEASE: Duration = Duration::from_secs(60);

    /// The claim of a new export.
    async fn claimed(ledger: &dyn Ledger) -> (Claim, Scope) {
        let query = json!({
            "dataset": "any",
            "time_range": { "from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z" },
        });
        let scope = Scope {
            org: OrgId::new("a"),
            made_by: None,
        };
        let new = NewExport {
            org: scope.org.clone(),
            made_by: None,
            spec: ReportSpec::new(
                serde_json::from_value(query).expect("a query"),
                Format::Csv.into(),
            ),
            max_attempts: 5,
            estimated_rows: None,
            lane: Lane::Small,
        };
        let terms = Terms {
            max_queued: 10,
            max_active: 10,
            sharing: None,
            idempotency_key: None,
        };
        let enqueued = ledger.enqueue(new, &terms).await.expect("the ledger");
        assert!(matches!(enqueued, Enqueued::Accepted(_)), "{enqueued:?}");
        let claim = ledger.claim_next(LEASE, Lanes::Any).await;
        (claim.expect("the ledger").expect("an export"), scope)
    }

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
