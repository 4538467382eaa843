//! An export for tests.

use std::time::Duration;

use serde_json::json;
use waybill_ledger::{Claim, Enqueued, Lane, Lanes, Ledger, NewExport, Terms};
use waybill_report::caller::{OrgId, Scope};
use waybill_report::encode::Format;
use waybill_report::spec::ReportSpec;

/// Longer than any test.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// Claims a new export of organisation `a`; returns the claim and whose it is.
pub(crate) async fn claimed(ledger: &dyn Ledger) -> (Claim, Scope) {
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
