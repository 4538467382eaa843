//! Exports of a ledger under test, and what happens to them.

use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound as _, Utc};
use serde_json::json;
use tokio::sync::broadcast;
use waybill_ledger::export::{Export, ExportId, Failure, FailureCode, Receipt};
use waybill_ledger::{
    Claim, Enqueued, Lane, Lanes, Lease, Ledger, LedgerError, NewExport, OrphanedObject,
    SnapshotRecord, Terms,
};
use waybill_report::caller::{OrgId, Scope};
use waybill_report::encode::Format;
use waybill_report::spec::ReportSpec;

/// How long anything may take. Far above what is needed.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

pub(super) const LEASE: Duration = Duration::from_secs(30);

/// So short that it has lapsed by the next statement.
pub(super) const LAPSED: Duration = Duration::ZERO;

pub(super) const RETENTION: Duration = Duration::from_secs(3_600);

/// All exports of an organisation.
pub(super) fn org(name: &str) -> Scope {
    Scope {
        org: OrgId::new(name),
        made_by: None,
    }
}

/// An export to be recorded.
pub fn new_export(org_name: &str, max_attempts: u32) -> NewExport {
    let query = serde_json::from_value(json!({
        "dataset": "sessions",
        "time_range": { "from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z" },
        "filters": [{ "field": "status", "op": "eq", "value": "it's" }],
        "limit": null,
    }));
    NewExport {
        org: OrgId::new(org_name),
        made_by: None,
        spec: ReportSpec::new(query.expect("a query"), Format::Csv.into()),
        max_attempts,
        estimated_rows: None,
        lane: Lane::Large,
    }
}

/// Terms under which every request starts an export.
pub fn terms() -> Terms {
    Terms {
        max_queued: 1_000,
        max_active: 1_000,
        sharing: None,
        idempotency_key: None,
    }
}

pub(super) async fn enqueue(ledger: &dyn Ledger, org_name: &str, max_attempts: u32) -> Export {
    record(ledger, new_export(org_name, max_attempts)).await
}

pub(super) async fn record(ledger: &dyn Ledger, new: NewExport) -> Export {
    match ledger.enqueue(new, &terms()).await.expect("the ledger") {
        Enqueued::Accepted(export) => *export,
        other => panic!("{other:?}"),
    }
}

pub(super) async fn claim(ledger: &dyn Ledger, lease_for: Duration) -> Claim {
    let claim = ledger
        .claim_next(lease_for, Lanes::Any)
        .await
        .expect("the ledger");
    claim.expect("an export that waits")
}

pub(super) async fn read(ledger: &dyn Ledger, id: ExportId) -> Export {
    let export = ledger.get(&org("a"), id).await.expect("the ledger");
    export.expect("an export of a")
}

pub(super) fn receipt(lease: &Lease) -> Receipt {
    Receipt {
        object_key: lease.object_key(Format::Csv),
        row_count: 3,
        limit_reached: false,
        size_bytes: 42,
        sha256: "ab".repeat(32),
    }
}

pub(super) fn snapshot(lease: &Lease) -> SnapshotRecord {
    SnapshotRecord {
        materialized_at: whole_micros(Utc::now()),
        source_updated_at: None,
        estimated_rows: None,
        object_key: lease.object_key(Format::Csv),
    }
}

pub(super) fn failure() -> Failure {
    Failure {
        code: FailureCode::Internal,
        detail: "It did not work.".to_owned(),
    }
}

/// The precision in which a ledger keeps instants.
pub(super) fn whole_micros(instant: DateTime<Utc>) -> DateTime<Utc> {
    instant.trunc_subsecs(6)
}

pub(super) fn is_lost<T>(outcome: &Result<T, LedgerError>) -> bool {
    matches!(outcome, Err(LedgerError::LeaseLost(_)))
}

/// What has to go now; nobody else is given it for long.
pub(super) async fn taken(ledger: &dyn Ledger) -> Vec<OrphanedObject> {
    ledger
        .take_orphans(LEASE, Duration::ZERO)
        .await
        .expect("the ledger")
}

/// Records exports until one is heard of: at first nobody may be listening yet.
pub async fn heard(writer: &dyn Ledger, changes: &mut broadcast::Receiver<ExportId>) -> ExportId {
    let end = Instant::now() + DEADLINE;
    while Instant::now() < end {
        let export = match writer.enqueue(new_export("a", 5), &terms()).await {
            Ok(Enqueued::Accepted(export)) => export.id,
            // An outage may not be over yet.
            _ => ExportId::generate(),
        };
        let change = tokio::time::timeout(Duration::from_millis(200), next_of(changes, export));
        if let Ok(id) = change.await {
            return id;
        }
    }
    panic!("nothing was heard within {DEADLINE:?}");
}

pub(super) async fn next_of(
    changes: &mut broadcast::Receiver<ExportId>,
    export: ExportId,
) -> ExportId {
    loop {
        match changes.recv().await {
            Ok(id) if id == export => return id,
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
