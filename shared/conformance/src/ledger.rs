//! What every ledger must do, whichever database it is on. A ledger's own tests call [`run`].

mod accepting;
mod fairness;
mod outages;
mod states;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound as _, Utc};
use serde_json::json;
use tokio::sync::broadcast;
use waybill_report::caller::{KeyId, OrgId, Scope};
use waybill_report::encode::Format;

use waybill_ledger::database::Database;
use waybill_ledger::export::{
    Export, ExportId, ExportStatus, Failure, FailureCode, Lease, Progress, Receipt,
};
use waybill_ledger::queue::Queue;
use waybill_ledger::{
    Cancel, Claim, Enqueued, HandBack, Lane, Lanes, Ledger, LedgerError, LeftUpload, Leftover,
    NewExport, Page, SnapshotRecord, Terms,
};

/// How long anything may take. Far above what is needed.
const DEADLINE: Duration = Duration::from_secs(30);
const LEASE: Duration = Duration::from_secs(30);
/// So short that it has lapsed by the next statement.
const LAPSED: Duration = Duration::ZERO;
const RETENTION: Duration = Duration::from_secs(3_600);

/// An empty ledger on a database of its own.
pub struct Fixture {
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// The same as another process has it.
    pub other: Arc<dyn Ledger>,
    /// The queue of both.
    pub queue: Queue,
}

impl Fixture {
    /// What two processes make of a migrated database.
    pub fn of(database: Database, other: Database) -> Self {
        Self {
            ledger: database.ledger,
            other: other.ledger,
            queue: database.queue,
        }
    }
}

/// Runs the suite; `fresh` makes a database.
pub async fn run(fresh: impl AsyncFn() -> Fixture) {
    an_accepted_export_can_be_read_by_its_organisation_alone(fresh().await.ledger.as_ref()).await;
    a_full_queue_takes_nothing(fresh().await.ledger.as_ref()).await;
    exports_are_claimed_once_and_in_order(fresh().await.ledger.as_ref()).await;
    racing_processes_never_share_an_export(&fresh().await).await;
    a_completed_export_has_its_receipt(fresh().await.ledger.as_ref()).await;
    a_lost_lease_changes_nothing(fresh().await.ledger.as_ref()).await;
    failures_are_counted_to_the_end(fresh().await.ledger.as_ref()).await;
    handing_back_counts_nothing(fresh().await.ledger.as_ref()).await;
    silent_workers_lose_their_exports(fresh().await.ledger.as_ref()).await;
    lists_are_newest_first_and_paged(fresh().await.ledger.as_ref()).await;
    only_what_died_alone_has_failed(fresh().await.ledger.as_ref()).await;
    cancelling_ends_what_has_not_ended(fresh().await.ledger.as_ref()).await;
    a_deleted_export_is_gone_with_its_file(fresh().await.ledger.as_ref()).await;
    uploads_are_left_over_once_their_claim_is_over(fresh().await.ledger.as_ref()).await;
    a_leftover_is_held_looked_at_again_and_forgotten(&fresh().await).await;
    files_and_records_are_kept_for_so_long(fresh().await.ledger.as_ref()).await;
    a_clock_that_was_set_back_holds_nothing_up(fresh().await.ledger.as_ref()).await;
    accepting::run(&fresh).await;
    fairness::run(&fresh).await;
    outages::run(&fresh).await;
    states::every_sequence_of_changes_ends_as_the_states_say(&fresh().await).await;
    the_backlog_is_measured(fresh().await.ledger.as_ref()).await;
    changes_are_heard(fresh().await.ledger.as_ref()).await;
    a_viewer_sees_what_its_key_made(fresh().await.ledger.as_ref()).await;
    many_exports_are_read_at_once(fresh().await.ledger.as_ref()).await;
    an_estimate_stays_until_there_is_a_better_one(fresh().await.ledger.as_ref()).await;
    every_wait_has_one_wake_up(&fresh().await).await;
    without_a_wake_up_nothing_happened(&fresh().await).await;
}

/// All exports of an organisation.
fn org(name: &str) -> Scope {
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
        query: query.expect("a query"),
        format: Format::Csv,
        filename: "sessions.csv".to_owned(),
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

async fn enqueue(ledger: &dyn Ledger, org_name: &str, max_attempts: u32) -> Export {
    record(ledger, new_export(org_name, max_attempts)).await
}

async fn record(ledger: &dyn Ledger, new: NewExport) -> Export {
    match ledger.enqueue(new, &terms()).await.expect("the ledger") {
        Enqueued::Accepted(export) => *export,
        other => panic!("{other:?}"),
    }
}

async fn claim(ledger: &dyn Ledger, lease_for: Duration) -> Claim {
    let claim = ledger
        .claim_next(lease_for, Lanes::Any)
        .await
        .expect("the ledger");
    claim.expect("an export that waits")
}

async fn read(ledger: &dyn Ledger, id: ExportId) -> Export {
    let export = ledger.get(&org("a"), id).await.expect("the ledger");
    export.expect("an export of a")
}

fn receipt(lease: &Lease) -> Receipt {
    Receipt {
        object_key: lease.object_key(Format::Csv),
        row_count: 3,
        limit_reached: false,
        size_bytes: 42,
        sha256: "ab".repeat(32),
    }
}

fn snapshot(lease: &Lease) -> SnapshotRecord {
    SnapshotRecord {
        materialized_at: whole_micros(Utc::now()),
        source_updated_at: None,
        estimated_rows: None,
        object_key: lease.object_key(Format::Csv),
    }
}

fn failure() -> Failure {
    Failure {
        code: FailureCode::Internal,
        detail: "It did not work.".to_owned(),
    }
}

/// The precision in which a ledger keeps instants.
fn whole_micros(instant: DateTime<Utc>) -> DateTime<Utc> {
    instant.trunc_subsecs(6)
}

fn is_lost<T>(outcome: &Result<T, LedgerError>) -> bool {
    matches!(outcome, Err(LedgerError::LeaseLost(_)))
}

async fn an_accepted_export_can_be_read_by_its_organisation_alone(ledger: &dyn Ledger) {
    let export = enqueue(ledger, "a", 5).await;
    assert_eq!(export.status, ExportStatus::Queued);
    assert_eq!((export.epoch, export.failures, export.attempt()), (0, 0, 1));
    let stored = read(ledger, export.id).await;
    assert_eq!(stored.query, export.query);
    assert_eq!(stored.created_at, export.created_at);
    let other = ledger.get(&org("b"), export.id).await.expect("the ledger");
    assert!(other.is_none());
    let missing = ledger.get(&org("a"), ExportId::generate()).await;
    assert!(missing.expect("the ledger").is_none());
}

async fn a_full_queue_takes_nothing(ledger: &dyn Ledger) {
    let one = Terms {
        max_queued: 1,
        ..terms()
    };
    let first = enqueue(ledger, "a", 5).await;
    let new = NewExport {
        query: first.query,
        ..new_export("a", 1)
    };
    let refused = ledger.enqueue(new.clone(), &one).await.expect("the ledger");
    assert!(matches!(refused, Enqueued::QueueFull));
    assert_eq!(ledger.backlog().await.expect("the ledger").queued(), 1);
    claim(ledger, LEASE).await;
    let accepted = ledger.enqueue(new, &one).await.expect("the ledger");
    assert!(
        matches!(accepted, Enqueued::Accepted(_)),
        "what runs does not wait"
    );
}

async fn exports_are_claimed_once_and_in_order(ledger: &dyn Ledger) {
    let first = enqueue(ledger, "a", 5).await;
    let second = enqueue(ledger, "a", 5).await;
    let claimed = claim(ledger, LEASE).await;
    assert_eq!(claimed.export.id, first.id);
    assert_eq!(claimed.export.status, ExportStatus::Running);
    assert_eq!((claimed.lease.epoch, claimed.export.epoch), (1, 1));
    assert!(claimed.export.started_at.is_some());
    assert_eq!(claim(ledger, LEASE).await.export.id, second.id);
    let none = ledger
        .claim_next(LEASE, Lanes::Any)
        .await
        .expect("the ledger");
    assert!(none.is_none());
}

async fn racing_processes_never_share_an_export(fixture: &Fixture) {
    const EXPORTS: usize = 20;
    let both = [&fixture.ledger, &fixture.other];
    let enqueues = (0..EXPORTS).map(|turn| {
        let ledger = Arc::clone(both[turn % 2]);
        tokio::spawn(async move { enqueue(ledger.as_ref(), "a", 5).await.id })
    });
    let claims = (0..EXPORTS + 10).map(|turn| {
        let ledger = Arc::clone(both[turn % 2]);
        tokio::spawn(async move { ledger.claim_next(LEASE, Lanes::Any).await })
    });
    let (enqueues, claims): (Vec<_>, Vec<_>) = (enqueues.collect(), claims.collect());
    let mut accepted = Vec::new();
    for enqueue in enqueues {
        accepted.push(enqueue.await.expect("no panic"));
    }
    let mut claimed = Vec::new();
    for claim in claims {
        let claim = claim.await.expect("no panic").expect("the ledger");
        claimed.extend(claim.map(|claim| claim.export.id));
    }
    // What was recorded after the claims went by.
    while let Some(claim) = fixture
        .ledger
        .claim_next(LEASE, Lanes::Any)
        .await
        .expect("the ledger")
    {
        claimed.push(claim.export.id);
    }
    accepted.sort_unstable();
    claimed.sort_unstable();
    assert_eq!(claimed, accepted, "each once");
}

async fn a_completed_export_has_its_receipt(ledger: &dyn Ledger) {
    enqueue(ledger, "a", 5).await;
    let Claim { lease, .. } = claim(ledger, LEASE).await;
    let now = whole_micros(Utc::now());
    let progress = Progress {
        rows: 2,
        bytes: 20,
        estimated_rows: Some(3),
    };
    let snapshot = SnapshotRecord {
        materialized_at: now,
        source_updated_at: Some(now),
        ..snapshot(&lease)
    };
    let recorded = ledger.record_snapshot(&lease, &snapshot).await;
    recorded.expect("held");
    ledger.renew(&lease, LEASE, progress).await.expect("held");
    let running = read(ledger, lease.export_id).await;
    ledger.renew(&lease, LEASE, progress).await.expect("held");
    let renewed = read(ledger, lease.export_id).await;
    assert_eq!(renewed.revision, running.revision, "nothing to be seen");
    assert_eq!(running.progress, progress);
    assert_eq!(running.materialized_at, Some(now));
    assert_eq!(running.source_updated_at, Some(now));
    assert!(running.receipt.is_none());

    let receipt = receipt(&lease);
    ledger
        .complete(&lease, &receipt, RETENTION)
        .await
        .expect("held");
    let done = read(ledger, lease.export_id).await;
    assert_eq!(done.status, ExportStatus::Completed);
    assert_eq!(done.receipt, Some(receipt.clone()));
    assert_eq!((done.progress.rows, done.progress.bytes), (3, 42));
    let kept = done.expires_at.expect("a retention") - done.completed_at.expect("an end");
    assert_eq!(kept.to_std(), Ok(RETENTION));
    assert!(done.revision > running.revision);
    assert!(
        is_lost(&ledger.complete(&lease, &receipt, RETENTION).await),
        "once only"
    );
}

async fn a_lost_lease_changes_nothing(ledger: &dyn Ledger) {
    enqueue(ledger, "a", 5).await;
    let old = claim(ledger, LAPSED).await.lease;
    assert_eq!(
        ledger.requeue_lapsed(false).await.expect("the ledger"),
        [old.export_id]
    );
    let new = claim(ledger, LEASE).await.lease;
    assert_eq!((new.export_id, new.epoch), (old.export_id, old.epoch + 1));
    let before = read(ledger, new.export_id).await;

    assert!(!ledger.holds(&old).await.expect("the ledger"));
    assert!(ledger.holds(&new).await.expect("the ledger"));
    assert!(is_lost(
        &ledger.renew(&old, LEASE, Progress::default()).await
    ));
    assert!(is_lost(&ledger.isolate(&old).await));
    let recorded = ledger.record_snapshot(&old, &snapshot(&old)).await;
    assert!(is_lost(&recorded));
    assert!(is_lost(&ledger.record_upload(&old, "u").await));
    assert!(is_lost(
        &ledger.complete(&old, &receipt(&old), RETENTION).await
    ));
    assert!(is_lost(&ledger.fail(&old, &failure(), None).await));
    assert!(is_lost(
        &ledger
            .hand_back(&old, Duration::ZERO, HandBack::Outage)
            .await
    ));
    let after = read(ledger, new.export_id).await;
    assert_eq!(
        (after.revision, after.status),
        (before.revision, ExportStatus::Running)
    );
}

async fn failures_are_counted_to_the_end(ledger: &dyn Ledger) {
    enqueue(ledger, "a", 2).await;
    let lease = claim(ledger, LEASE).await.lease;
    let retry = Some(Duration::ZERO);
    let status = ledger.fail(&lease, &failure(), retry).await.expect("held");
    assert_eq!(status, ExportStatus::Queued);
    let waiting = read(ledger, lease.export_id).await;
    assert_eq!((waiting.failures, waiting.attempt()), (1, 2));
    assert_eq!(waiting.failure, None, "it has not failed yet");

    let lease = claim(ledger, LEASE).await.lease;
    let status = ledger.fail(&lease, &failure(), retry).await.expect("held");
    assert_eq!(status, ExportStatus::Failed, "the last attempt");
    let failed = read(ledger, lease.export_id).await;
    assert_eq!(failed.failure, Some(failure()));
    assert_eq!((failed.failures, failed.attempt()), (2, 2));
    assert!(failed.completed_at.is_some());

    enqueue(ledger, "a", 5).await;
    let lease = claim(ledger, LEASE).await.lease;
    let status = ledger.fail(&lease, &failure(), None).await.expect("held");
    assert_eq!(status, ExportStatus::Failed, "final at once");

    enqueue(ledger, "a", 5).await;
    let lease = claim(ledger, LEASE).await.lease;
    let later = Some(Duration::from_secs(600));
    ledger.fail(&lease, &failure(), later).await.expect("held");
    let early = ledger
        .claim_next(LEASE, Lanes::Any)
        .await
        .expect("the ledger");
    assert!(early.is_none(), "its time has not come");
}

async fn handing_back_counts_nothing(ledger: &dyn Ledger) {
    enqueue(ledger, "a", 1).await;
    let lease = claim(ledger, LEASE).await.lease;
    let recorded = ledger.record_snapshot(&lease, &snapshot(&lease)).await;
    recorded.expect("held");
    ledger
        .hand_back(&lease, Duration::ZERO, HandBack::Outage)
        .await
        .expect("held");
    let waiting = read(ledger, lease.export_id).await;
    assert_eq!(
        (waiting.status, waiting.failures),
        (ExportStatus::Queued, 0)
    );
    assert_eq!(waiting.materialized_at, None, "the next attempt reads anew");
    assert_eq!(claim(ledger, LEASE).await.lease.epoch, lease.epoch + 1);
}

async fn silent_workers_lose_their_exports(ledger: &dyn Ledger) {
    enqueue(ledger, "a", 2).await;
    let lease = claim(ledger, LEASE).await.lease;
    let none = ledger.requeue_lapsed(false).await.expect("the ledger");
    assert!(none.is_empty(), "the lease runs");
    let taken = ledger.requeue_lapsed(true).await.expect("the ledger");
    assert_eq!(taken, [lease.export_id], "the sole process is gone");
    let waiting = read(ledger, lease.export_id).await;
    assert_eq!(
        (waiting.status, waiting.failures, waiting.suspect),
        (ExportStatus::Queued, 0, true),
        "a neighbour may have done it"
    );
}

async fn only_what_died_alone_has_failed(ledger: &dyn Ledger) {
    let id = enqueue(ledger, "a", 2).await.id;
    let die = async |alone: bool| {
        let claimed = claim(ledger, LAPSED).await;
        if alone {
            ledger.isolate(&claimed.lease).await.expect("held");
        }
        ledger.requeue_lapsed(false).await.expect("the ledger");
        let export = read(ledger, id).await;
        (claimed.export.suspect, export.failures, export.status)
    };
    for was_suspect in [false, true, true] {
        let died = die(false).await;
        assert_eq!(died, (was_suspect, 0, ExportStatus::Queued));
    }
    assert_eq!(die(true).await, (true, 1, ExportStatus::Queued));
    assert_eq!(die(false).await, (true, 1, ExportStatus::Queued));
    let handed_back = claim(ledger, LEASE).await.lease;
    ledger.isolate(&handed_back).await.expect("held");
    let back = ledger
        .hand_back(&handed_back, Duration::ZERO, HandBack::Outage)
        .await;
    back.expect("held");
    let died = die(false).await;
    assert_eq!(died, (true, 1, ExportStatus::Queued), "alone then, not now");
    assert_eq!(die(true).await, (true, 2, ExportStatus::Failed));
    let lost = read(ledger, id).await;
    assert_eq!(
        lost.failure.map(|failure| failure.code),
        Some(FailureCode::WorkerLost)
    );
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
    let other = ledger.cancel(&org("b"), lease.export_id).await;
    assert!(other.expect("the ledger").is_none(), "not theirs");
    let mut changes = ledger.changes();
    cancel(lease.export_id).await.expect("an export");
    assert_eq!(
        next_of(&mut changes, lease.export_id).await,
        lease.export_id
    );
    assert!(!ledger.holds(&lease).await.expect("the ledger"));
    let published = ledger.complete(&lease, &receipt(&lease), RETENTION).await;
    assert!(is_lost(&published), "too late");

    enqueue(ledger, "a", 5).await;
    let lease = claim(ledger, LEASE).await.lease;
    let published = ledger.complete(&lease, &receipt(&lease), RETENTION).await;
    published.expect("held");
    let Some(Cancel::Finished(export)) = cancel(lease.export_id).await else {
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

    for id in [running.export_id, done.export_id, queued] {
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
    let mut leftovers = taken(ledger).await;
    leftovers.sort_by(|a, b| a.object_key.cmp(&b.object_key));
    let left = |lease: &Lease, upload| Leftover {
        object_key: lease.object_key(Format::Csv),
        upload,
        looks: 0,
    };
    let expected = [
        left(&running, LeftUpload::Recorded("u".to_owned())),
        left(&done, LeftUpload::None),
    ];
    assert_eq!(leftovers, expected);
}

async fn lists_are_newest_first_and_paged(ledger: &dyn Ledger) {
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(enqueue(ledger, "a", 5).await.id);
        enqueue(ledger, "b", 5).await;
    }
    ids.reverse();
    let mut page = Page {
        status: None,
        dataset: None,
        before: None,
        limit: 2,
    };
    let mut seen = Vec::new();
    loop {
        let exports = ledger.list(&org("a"), &page).await.expect("the ledger");
        let Some(last) = exports.last() else { break };
        page.before = Some(last.id);
        seen.extend(exports.iter().map(|export| export.id));
    }
    assert_eq!(seen, ids);

    claim(ledger, LEASE).await;
    let running = Page {
        status: Some(ExportStatus::Running),
        before: None,
        limit: 100,
        ..page
    };
    let running_ids = ledger.list(&org("a"), &running).await.expect("the ledger");
    assert_eq!(running_ids.len(), 1);
    let elsewhere = Page {
        dataset: Some("elsewhere".to_owned()),
        ..running
    };
    let none = ledger
        .list(&org("a"), &elsewhere)
        .await
        .expect("the ledger");
    assert!(none.is_empty());
}

async fn uploads_are_left_over_once_their_claim_is_over(ledger: &dyn Ledger) {
    let begin = async || {
        enqueue(ledger, "a", 5).await;
        let lease = claim(ledger, LEASE).await.lease;
        let recorded = ledger.record_snapshot(&lease, &snapshot(&lease)).await;
        recorded.expect("held");
        lease
    };
    let published = begin().await;
    ledger.record_upload(&published, "u").await.expect("held");
    ledger
        .complete(&published, &receipt(&published), RETENTION)
        .await
        .expect("held");
    let (unrecorded, recorded) = (begin().await, begin().await);
    ledger.record_upload(&recorded, "v").await.expect("held");
    assert!(taken(ledger).await.is_empty());
    let late = begin().await;
    ledger
        .hand_back(&late, LEASE, HandBack::Outage)
        .await
        .expect("held");
    let resting = ledger.take_leftovers(LEASE, LEASE).await;
    assert!(resting.expect("the ledger").is_empty(), "not yet");
    for (lease, upload) in [
        (unrecorded, LeftUpload::Unrecorded),
        (recorded, LeftUpload::Recorded("v".to_owned())),
    ] {
        ledger.fail(&lease, &failure(), None).await.expect("held");
        let expected = Leftover {
            object_key: lease.object_key(Format::Csv),
            upload,
            looks: 0,
        };
        assert_eq!(taken(ledger).await, [expected]);
    }
}

async fn a_leftover_is_held_looked_at_again_and_forgotten(fixture: &Fixture) {
    let ledger = fixture.ledger.as_ref();
    let id = enqueue(ledger, "a", 5).await.id;
    let lease = claim(ledger, LEASE).await.lease;
    let published = ledger.complete(&lease, &receipt(&lease), RETENTION).await;
    published.expect("held");
    assert!(ledger.delete(&org("a"), id).await.expect("the ledger"));

    let take = async |hold| {
        fixture
            .other
            .take_leftovers(hold, Duration::ZERO)
            .await
            .expect("the ledger")
    };
    let leftover = take(Duration::ZERO).await.pop().expect("the file");
    assert_eq!(leftover.looks, 0);
    let again = take(LEASE).await;
    assert_eq!(
        again,
        std::slice::from_ref(&leftover),
        "its holder died with it"
    );
    assert!(take(LEASE).await.is_empty(), "held");
    let settle = async |look_again| {
        let settled = ledger.settle_leftover(&leftover, look_again).await;
        settled.expect("the ledger");
    };
    settle(Some(LEASE)).await;
    assert!(take(LEASE).await.is_empty(), "not yet");
    settle(Some(Duration::ZERO)).await;
    let looks: Vec<u32> = take(Duration::ZERO).await.iter().map(|l| l.looks).collect();
    assert_eq!(looks, [2]);
    settle(None).await;
    assert!(take(Duration::ZERO).await.is_empty(), "forgotten");
}

async fn files_and_records_are_kept_for_so_long(ledger: &dyn Ledger) {
    let complete = async |retention| {
        enqueue(ledger, "a", 5).await;
        let lease = claim(ledger, LEASE).await.lease;
        let published = ledger.complete(&lease, &receipt(&lease), retention).await;
        published.expect("held");
        lease
    };
    let (kept, over) = (complete(RETENTION).await, complete(Duration::ZERO).await);
    let failed = enqueue(ledger, "a", 5).await.id;
    let lease = claim(ledger, LEASE).await.lease;
    ledger.fail(&lease, &failure(), None).await.expect("held");

    assert_eq!(ledger.expire().await.expect("the ledger"), 1);
    assert_eq!(ledger.expire().await.expect("the ledger"), 0);
    let expired = read(ledger, over.export_id).await;
    assert_eq!(expired.status, ExportStatus::Expired);
    assert!(expired.receipt.is_some(), "what it was is still known");
    let left: Vec<String> = taken(ledger)
        .await
        .into_iter()
        .map(|l| l.object_key)
        .collect();
    assert_eq!(left, [over.object_key(Format::Csv)]);

    assert_eq!(ledger.purge(RETENTION).await.expect("the ledger"), 0);
    assert_eq!(ledger.purge(Duration::ZERO).await.expect("the ledger"), 2);
    for (id, is_there) in [
        (kept.export_id, true),
        (over.export_id, false),
        (failed, false),
    ] {
        let found = ledger.get(&org("a"), id).await.expect("the ledger");
        assert_eq!(found.is_some(), is_there);
    }
}

async fn a_clock_that_was_set_back_holds_nothing_up(ledger: &dyn Ledger) {
    const FAR: Duration = Duration::from_secs(100_000);
    enqueue(ledger, "a", 5).await;
    let lease = claim(ledger, LEASE).await.lease;
    ledger
        .hand_back(&lease, FAR, HandBack::Outage)
        .await
        .expect("held");
    assert!(
        ledger
            .claim_next(LEASE, Lanes::Any)
            .await
            .expect("the ledger")
            .is_none()
    );
    let bounded = ledger.bound_waits(RETENTION, LEASE).await;
    assert_eq!(bounded.expect("the ledger"), 1);
    claim(ledger, FAR).await;
    let bounded = ledger.bound_waits(RETENTION, Duration::ZERO).await;
    assert_eq!(bounded.expect("the ledger"), 1);
    let lapsed = ledger.requeue_lapsed(false).await.expect("the ledger");
    assert_eq!(lapsed, [lease.export_id]);
    let bounded = ledger.bound_waits(RETENTION, LEASE).await;
    assert_eq!(bounded.expect("the ledger"), 0);
}

/// What has to go now; nobody else is given it for long.
async fn taken(ledger: &dyn Ledger) -> Vec<Leftover> {
    ledger
        .take_leftovers(LEASE, Duration::ZERO)
        .await
        .expect("the ledger")
}

async fn the_backlog_is_measured(ledger: &dyn Ledger) {
    assert_eq!(
        ledger.backlog().await.expect("the ledger").drain_rate(),
        None
    );
    for _ in 0..3 {
        enqueue(ledger, "a", 5).await;
    }
    claim(ledger, LEASE).await;
    claim(ledger, LEASE).await;
    let backlog = ledger.backlog().await.expect("the ledger");
    assert_eq!((backlog.queued(), backlog.large.claimed), (1, 2));
    assert!(backlog.drain_rate().is_some_and(|rate| rate > 0.0));
}

async fn changes_are_heard(ledger: &dyn Ledger) {
    let mut changes = ledger.changes();
    let export = heard(ledger, &mut changes).await;
    claim(ledger, LEASE).await;
    assert_eq!(next_of(&mut changes, export).await, export);
    ledger.check().await.expect("a migrated database");
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

async fn next_of(changes: &mut broadcast::Receiver<ExportId>, export: ExportId) -> ExportId {
    loop {
        match changes.recv().await {
            Ok(id) if id == export => return id,
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

async fn many_exports_are_read_at_once(ledger: &dyn Ledger) {
    let mine = enqueue(ledger, "a", 5).await;
    let theirs = enqueue(ledger, "b", 5).await;
    enqueue(ledger, "a", 5).await;
    let none = ledger.get_many(&[]).await.expect("the ledger");
    assert!(none.is_empty());
    let claimed = claim(ledger, LEASE).await.export;

    let asked = [mine.id, ExportId::generate(), theirs.id];
    let mut read = ledger.get_many(&asked).await.expect("the ledger");
    read.sort_by_key(|export| export.id);
    let ids: Vec<ExportId> = read.iter().map(|export| export.id).collect();
    assert_eq!(ids, [mine.id, theirs.id], "whoever they belong to");
    assert_eq!(read[0].status, ExportStatus::Running);

    let mut revisions = ledger.revisions(&asked).await.expect("the ledger");
    revisions.sort_unstable();
    assert_eq!(
        revisions,
        [(mine.id, claimed.revision), (theirs.id, theirs.revision)]
    );
}

async fn a_viewer_sees_what_its_key_made(ledger: &dyn Ledger) {
    let (mine, other) = (KeyId::generate(), KeyId::generate());
    let made_by = |key: &KeyId| NewExport {
        made_by: Some(key.clone()),
        ..new_export("a", 5)
    };
    let export = record(ledger, made_by(&mine)).await.id;
    record(ledger, made_by(&other)).await;
    enqueue(ledger, "a", 5).await;
    let page = Page {
        status: None,
        dataset: None,
        before: None,
        limit: 10,
    };
    let scope = |org: &str, key: Option<&KeyId>| Scope {
        org: OrgId::new(org),
        made_by: key.cloned(),
    };
    for (scope, sees, listed) in [
        (scope("a", Some(&mine)), true, 1),
        (scope("a", Some(&other)), false, 1),
        (scope("a", Some(&KeyId::generate())), false, 0),
        (scope("a", None), true, 3),
        (scope("b", Some(&mine)), false, 0),
    ] {
        let found = ledger.get(&scope, export).await.expect("the ledger");
        assert_eq!(found.is_some(), sees, "{scope:?}");
        let exports = ledger.list(&scope, &page).await.expect("the ledger");
        assert_eq!(exports.len(), listed, "{scope:?}");
    }
}

async fn an_estimate_stays_until_there_is_a_better_one(ledger: &dyn Ledger) {
    let new = NewExport {
        estimated_rows: Some(7),
        ..new_export("a", 5)
    };
    let accepted = record(ledger, new).await;
    assert_eq!(accepted.progress.estimated_rows, Some(7));
    let lease = claim(ledger, LEASE).await.lease;
    let estimate = async || read(ledger, lease.export_id).await.progress.estimated_rows;
    let recorded = ledger.record_snapshot(&lease, &snapshot(&lease)).await;
    recorded.expect("held");
    let renewed = ledger.renew(&lease, LEASE, Progress::default()).await;
    renewed.expect("held");
    assert_eq!(estimate().await, Some(7));
    let better = SnapshotRecord {
        estimated_rows: Some(9),
        ..snapshot(&lease)
    };
    let recorded = ledger.record_snapshot(&lease, &better).await;
    recorded.expect("held");
    assert_eq!(estimate().await, Some(9));
}

async fn every_wait_has_one_wake_up(fixture: &Fixture) {
    let ledger = fixture.ledger.as_ref();
    enqueue(ledger, "a", 5).await;
    assert_eq!(wake_ups(&fixture.queue).await, 1);
    let lease = claim(ledger, LEASE).await.lease;
    let retry = Some(Duration::from_secs(600));
    ledger.fail(&lease, &failure(), retry).await.expect("held");
    assert_eq!(wake_ups(&fixture.queue).await, 2);
    enqueue(ledger, "a", 5).await;
    let lease = claim(ledger, LEASE).await.lease;
    let back = ledger
        .hand_back(&lease, Duration::ZERO, HandBack::Outage)
        .await;
    back.expect("held");
    assert_eq!(wake_ups(&fixture.queue).await, 4);
    let lease = claim(ledger, LAPSED).await.lease;
    let lapsed = ledger.requeue_lapsed(false).await.expect("the ledger");
    assert_eq!(lapsed, [lease.export_id]);
    assert_eq!(wake_ups(&fixture.queue).await, 5);

    // Nothing to do: what waits has a wake-up on its way …
    let again = ledger.wake_waiting(Duration::ZERO).await;
    assert_eq!(again.expect("the ledger"), 0);
    // … until deliveries are lost.
    on_queue(
        &fixture.queue,
        "DELETE FROM Jobs",
        "DELETE FROM apalis.jobs",
    )
    .await;
    for expected in [1, 0] {
        let again = ledger.wake_waiting(Duration::ZERO).await;
        assert_eq!(again.expect("the ledger"), expected);
    }
    // What was delivered is forgotten after a while.
    on_queue(
        &fixture.queue,
        "UPDATE Jobs SET status = 'Done', done_at = 1",
        "UPDATE apalis.jobs SET status = 'Done', done_at = to_timestamp(1)",
    )
    .await;
    let again = ledger.wake_waiting(Duration::ZERO).await;
    assert_eq!(again.expect("the ledger"), 1);
    assert_eq!(wake_ups(&fixture.queue).await, 1, "the new one alone");
}

async fn without_a_wake_up_nothing_happened(fixture: &Fixture) {
    let ledger = fixture.ledger.as_ref();
    enqueue(ledger, "a", 5).await;
    let lease = claim(ledger, LEASE).await.lease;
    on_queue(
        &fixture.queue,
        "ALTER TABLE Jobs RENAME TO gone",
        "ALTER TABLE apalis.jobs RENAME TO gone",
    )
    .await;
    assert!(ledger.enqueue(new_export("a", 5), &terms()).await.is_err());
    let retry = Some(Duration::ZERO);
    assert!(ledger.fail(&lease, &failure(), retry).await.is_err());
    assert!(
        ledger
            .hand_back(&lease, Duration::ZERO, HandBack::Outage)
            .await
            .is_err()
    );
    let backlog = ledger.backlog().await.expect("the ledger");
    assert_eq!(backlog.queued(), 0, "no export waits unheard");
    let export = read(ledger, lease.export_id).await;
    assert_eq!((export.status, export.failures), (ExportStatus::Running, 0));
}

/// Wake-ups that were pushed and not delivered, also those that are not due.
async fn wake_ups(queue: &Queue) -> i64 {
    let (sqlite, postgres) = (
        "SELECT count(*) FROM Jobs",
        "SELECT count(*) FROM apalis.jobs",
    );
    let count = match queue {
        Queue::Sqlite(pool) => sqlx::query_scalar(sqlite).fetch_one(pool).await,
        Queue::Postgres(pool) => sqlx::query_scalar(postgres).fetch_one(pool).await,
    };
    count.expect("the queue's tables")
}

async fn on_queue(queue: &Queue, sqlite: &'static str, postgres: &'static str) {
    let done = match queue {
        Queue::Sqlite(pool) => sqlx::query(sqlite).execute(pool).await.map(drop),
        Queue::Postgres(pool) => sqlx::query(postgres).execute(pool).await.map(drop),
    };
    done.expect("the queue's tables");
}
