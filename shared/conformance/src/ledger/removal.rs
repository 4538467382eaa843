//! Exports that their users cancel or delete.

use waybill_ledger::export::{ExportId, ExportStatus};
use waybill_ledger::{Cancel, Lanes, Lease, Ledger, OrphanedObject, OrphanedUpload};
use waybill_report::encode::Format;

use super::exports::{
    LEASE, RETENTION, claim, enqueue, is_lost, next_of, org, receipt, snapshot, taken,
};
use super::fixture::Fixture;

pub(super) async fn run(fresh: &impl AsyncFn() -> Fixture) {
    cancelling_ends_what_has_not_ended(fresh().await.ledger.as_ref()).await;
    a_deleted_export_is_gone_with_its_file(fresh().await.ledger.as_ref()).await;
}

async fn cancelling_ends_what_has_not_ended(ledger: &dyn Ledger) {
    let cancel = async |id| ledger.cancel(&org("a"), id).await.expect("the ledger");
    let queued = enqueue(ledger, "a", 5).await.id;
    for _ in 0..2 {
        let Some(Cancel::Cancelled(export)) = cancel(queued).await else {
            panic!("it can be cancelled, and again");
        };
        assert_eq!(export.status, ExportStatus::Cancelled);
        assert!(export.completed_at.is_some());
    }
    let none = ledger
        .claim_next(LEASE, Lanes::Any)
        .await
        .expect("the ledger");
    assert!(none.is_none(), "it waits no more");

    enqueue(ledger, "a", 5).await;
    let lease = claim(ledger, LEASE).await.lease;
    let other = ledger.cancel(&org("b"), lease.export_id()).await;
    assert!(other.expect("the ledger").is_none(), "not theirs");
    let mut changes = ledger.changes();
    cancel(lease.export_id()).await.expect("an export");
    assert_eq!(
        next_of(&mut changes, lease.export_id()).await,
        lease.export_id()
    );
    assert!(!ledger.holds(&lease).await.expect("the ledger"));
    let published = ledger.complete(&lease, &receipt(&lease), RETENTION).await;
    assert!(is_lost(&published), "too late");

    enqueue(ledger, "a", 5).await;
    let lease = claim(ledger, LEASE).await.lease;
    let published = ledger.complete(&lease, &receipt(&lease), RETENTION).await;
    published.expect("held");
    let Some(Cancel::Finished(export)) = cancel(lease.export_id()).await else {
        panic!("it had ended");
    };
    assert_eq!(export.status, ExportStatus::Completed);
    assert!(cancel(ExportId::generate()).await.is_none());
}

async fn a_deleted_export_is_gone_with_its_file(ledger: &dyn Ledger) {
    let delete = async |id| ledger.delete(&org("a"), id).await.expect("the ledger");
    enqueue(ledger, "a", 5).await;
    let running = claim(ledger, LEASE).await.lease;
    ledger
        .record_snapshot(&running, &snapshot(&running))
        .await
        .expect("held");
    ledger.record_upload(&running, "u").await.expect("held");
    enqueue(ledger, "a", 5).await;
    let done = claim(ledger, LEASE).await.lease;
    let published = ledger.complete(&done, &receipt(&done), RETENTION).await;
    published.expect("held");
    let queued = enqueue(ledger, "a", 5).await.id;

    for id in [running.export_id(), done.export_id(), queued] {
        let theirs = ledger.delete(&org("b"), id).await.expect("the ledger");
        assert!(!theirs, "not theirs");
        let mut changes = ledger.changes();
        assert!(delete(id).await);
        assert_eq!(next_of(&mut changes, id).await, id);
        assert!(!delete(id).await, "once");
        let gone = ledger.get(&org("a"), id).await.expect("the ledger");
        assert!(gone.is_none());
    }
    assert!(!ledger.holds(&running).await.expect("the ledger"));
    let mut orphans = taken(ledger).await;
    orphans.sort_by(|a, b| a.object_key.cmp(&b.object_key));
    let left = |lease: &Lease, upload| OrphanedObject {
        object_key: lease.object_key(Format::Csv),
        upload,
        sweeps: 0,
    };
    let expected = [
        left(&running, OrphanedUpload::Recorded("u".to_owned())),
        left(&done, OrphanedUpload::None),
    ];
    assert_eq!(orphans, expected);
}
