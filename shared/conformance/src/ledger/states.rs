//! The states of an export, as `export.rs` draws them, against a real ledger: any sequence of changes,
//! by holders of every epoch, by clients and by the upkeep, ends where the drawing says.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use waybill_report::encode::Format;

use waybill_ledger::export::{ExportId, ExportStatus, Progress};
use waybill_ledger::{
    Cancel, Enqueued, HandBack, Lanes, Lease, LedgerError, OrphanedUpload, SourceOutage,
};

use super::exports::{failure, new_export, org, receipt, snapshot, terms};
use super::fixture::Fixture;
use super::outages::unavailable_too_long;

/// Sequences that are tried, each on an export of its own.
const SEQUENCES: u32 = 60;
const MAX_ATTEMPTS: u32 = 2;
/// Every lease has lapsed by the next statement, so that `Lapse` may come at any time.
const LEASE: Duration = Duration::ZERO;

/// Something that happens to an export. A holder is one of those that ever had a claim, counted
/// backwards: 0 is the newest.
#[derive(Clone, Copy, Debug)]
enum Change {
    Claim,
    Renew(usize),
    Isolate(usize),
    RecordSnapshot(usize),
    RecordUpload(usize),
    Complete(usize),
    FailAgain(usize),
    FailFinally(usize),
    HandBack(usize, HandBack),
    /// No worker can run it.
    CountOutage,
    GiveUp,
    Lapse,
    Cancel,
    Expire,
    Delete,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    use Change::*;
    let holder = || prop_oneof![3 => Just(0_usize), 1 => 1_usize..3];
    let change = prop_oneof![
        4 => Just(Claim),
        2 => holder().prop_map(Renew),
        2 => holder().prop_map(Isolate),
        2 => holder().prop_map(RecordSnapshot),
        2 => holder().prop_map(RecordUpload),
        2 => holder().prop_map(Complete),
        2 => holder().prop_map(FailAgain),
        1 => holder().prop_map(FailFinally),
        2 => (holder(), prop_oneof![Just(self::HandBack::Outage), Just(self::HandBack::Shutdown)])
            .prop_map(|(holder, reason)| HandBack(holder, reason)),
        1 => Just(CountOutage),
        2 => Just(GiveUp),
        3 => Just(Lapse),
        1 => Just(Cancel),
        2 => Just(Expire),
        1 => Just(Delete),
    ];
    prop::collection::vec(change, 1..25)
}

/// What the ledger should know of the export.
#[derive(Debug)]
struct Model {
    /// Of every claim, from the first on.
    leases: Vec<Lease>,
    /// `None`: deleted.
    status: Option<ExportStatus>,
    failures: u32,
    alone: bool,
    /// Whether some time of an outage was counted.
    was_away: bool,
    /// Where the newest claim may have begun to write, and the id of its upload.
    upload: Option<(String, OrphanedUpload)>,
    published: Option<String>,
    /// Keys that have to be emptied.
    left: Vec<(String, OrphanedUpload)>,
}

impl Model {
    /// Returns how many claims there were.
    fn epoch(&self) -> i64 {
        i64::try_from(self.leases.len()).expect("a few")
    }

    /// Returns the lease of the newest claim but so many.
    fn lease(&self, back: usize) -> Option<Lease> {
        self.leases.iter().rev().nth(back).cloned()
    }

    fn holds(&self, lease: &Lease) -> bool {
        self.status == Some(ExportStatus::Running) && self.leases.last() == Some(lease)
    }

    /// The claim is over, and what it wrote is nobody's unless it is the published file.
    fn end_claim(&mut self, status: Option<ExportStatus>) {
        self.status = status;
        self.left.extend(self.upload.take());
    }

    fn count_failure(&mut self, is_final: bool) {
        self.failures += 1;
        let failed = is_final || self.failures >= MAX_ATTEMPTS;
        self.end_claim(Some(if failed {
            ExportStatus::Failed
        } else {
            ExportStatus::Queued
        }));
    }
}

pub(super) async fn run(fresh: &impl AsyncFn() -> Fixture) {
    every_sequence_of_changes_ends_as_the_states_say(&fresh().await).await;
}

async fn every_sequence_of_changes_ends_as_the_states_say(fixture: &Fixture) {
    // The same sequences on both databases, and in every run.
    let config = Config {
        rng_seed: RngSeed::Fixed(7),
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    for _ in 0..SEQUENCES {
        let sequence = changes()
            .new_tree(&mut runner)
            .expect("a sequence")
            .current();
        follow(fixture, &sequence).await;
    }
}

async fn follow(fixture: &Fixture, sequence: &[Change]) {
    let ledger = fixture.ledger.as_ref();
    let new = new_export("a", MAX_ATTEMPTS);
    let id = match ledger.enqueue(new, &terms()).await.expect("the ledger") {
        Enqueued::Accepted(export) => export.id,
        other => panic!("{other:?}"),
    };
    let mut model = Model {
        leases: Vec::new(),
        status: Some(ExportStatus::Queued),
        failures: 0,
        alone: false,
        was_away: false,
        upload: None,
        published: None,
        left: Vec::new(),
    };
    for (step, change) in sequence.iter().enumerate() {
        let context = format!("step {step} of {sequence:?}, {model:?}");
        apply(fixture, id, *change, &mut model, &context).await;
        let found = ledger.get(&org("a"), id).await.expect("the ledger");
        let found = found.map(|export| (export.status, export.epoch, export.failures));
        let expected = model
            .status
            .map(|status| (status, model.epoch(), model.failures));
        assert_eq!(found, expected, "{context}");
    }
    // Whatever is still open ends now, and what has to go is told of.
    if ledger.delete(&org("a"), id).await.expect("the ledger") {
        delete(&mut model);
    }
    let mut expected = model.left;
    let hold = Duration::from_secs(3_600);
    let taken = fixture
        .other
        .take_orphans(hold, Duration::ZERO)
        .await
        .expect("the ledger");
    let mut found: Vec<_> = taken
        .into_iter()
        .map(|orphan| (orphan.object_key, orphan.upload))
        .collect();
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found, expected, "{sequence:?}");
}

fn delete(model: &mut Model) {
    let expired = model.status == Some(ExportStatus::Expired);
    // An expired export's file is left over already.
    if let Some(key) = model.published.take().filter(|_| !expired) {
        model.left.push((key, OrphanedUpload::None));
    }
    model.end_claim(None);
}

async fn apply(fixture: &Fixture, id: ExportId, change: Change, model: &mut Model, context: &str) {
    let ledger = fixture.ledger.as_ref();
    /// Holds the answer to what the model says, and returns whether the lease was worth something.
    fn held<T>(
        model: &Model,
        lease: &Lease,
        answer: Result<T, LedgerError>,
        context: &str,
    ) -> bool {
        match answer {
            Ok(_) => assert!(model.holds(lease), "{context}"),
            Err(LedgerError::LeaseLost(_)) => assert!(!model.holds(lease), "{context}"),
            Err(error) => panic!("{error}: {context}"),
        }
        model.holds(lease)
    }
    match change {
        Change::Claim => {
            let claim = ledger
                .claim_next(LEASE, Lanes::Any)
                .await
                .expect("the ledger");
            let claimed = claim
                .as_ref()
                .map(|claim| (claim.export.id, claim.export.epoch));
            let waits = model.status == Some(ExportStatus::Queued);
            assert_eq!(
                claimed,
                waits.then_some((id, model.epoch() + 1)),
                "{context}"
            );
            if let Some(claim) = claim {
                (model.status, model.alone) = (Some(ExportStatus::Running), false);
                model.leases.push(claim.lease);
            }
        }
        Change::Renew(back) => {
            let Some(lease) = model.lease(back) else {
                return;
            };
            let answer = ledger.renew(&lease, LEASE, Progress::default()).await;
            held(model, &lease, answer, context);
        }
        Change::Isolate(back) => {
            let Some(lease) = model.lease(back) else {
                return;
            };
            let answer = ledger.isolate(&lease).await;
            model.alone |= held(model, &lease, answer, context);
        }
        Change::RecordSnapshot(back) => {
            let Some(lease) = model.lease(back) else {
                return;
            };
            let answer = ledger.record_snapshot(&lease, &snapshot(&lease)).await;
            if held(model, &lease, answer, context) && model.upload.is_none() {
                model.upload = Some((lease.object_key(Format::Csv), OrphanedUpload::Unrecorded));
            }
        }
        Change::RecordUpload(back) => {
            let Some(lease) = model.lease(back) else {
                return;
            };
            let answer = ledger.record_upload(&lease, "u").await;
            match &mut model.upload {
                Some((_, upload)) if answer.is_ok() => {
                    assert_eq!(model.leases.last(), Some(&lease), "{context}");
                    *upload = OrphanedUpload::Recorded("u".to_owned());
                }
                // Without a snapshot nothing may be written.
                upload => assert!(
                    answer.is_err() && (upload.is_none() || !model.holds(&lease)),
                    "{context}"
                ),
            }
        }
        Change::Complete(back) => {
            let Some(lease) = model.lease(back) else {
                return;
            };
            let kept = Duration::ZERO;
            let answer = ledger.complete(&lease, &receipt(&lease), kept).await;
            if held(model, &lease, answer, context) {
                (model.status, model.upload) = (Some(ExportStatus::Completed), None);
                model.published = Some(lease.object_key(Format::Csv));
            }
        }
        Change::FailAgain(back) => {
            let Some(lease) = model.lease(back) else {
                return;
            };
            let answer = ledger.fail(&lease, &failure(), Some(Duration::ZERO)).await;
            if held(model, &lease, answer, context) {
                model.count_failure(false);
            }
        }
        Change::FailFinally(back) => {
            let Some(lease) = model.lease(back) else {
                return;
            };
            let answer = ledger.fail(&lease, &failure(), None).await;
            if held(model, &lease, answer, context) {
                model.count_failure(true);
            }
        }
        Change::HandBack(back, reason) => {
            let Some(lease) = model.lease(back) else {
                return;
            };
            let answer = ledger.hand_back(&lease, Duration::ZERO, reason).await;
            if held(model, &lease, answer, context) {
                model.end_claim(Some(ExportStatus::Queued));
                model.was_away |= reason == HandBack::Outage;
            }
        }
        Change::CountOutage => {
            let outage = SourceOutage {
                source: "default",
                datasets: &["sessions".to_owned()],
                lasted: Duration::from_secs(3_600),
            };
            let waits = model.status == Some(ExportStatus::Queued);
            let counted = ledger.count_outage(outage).await.expect("the ledger");
            assert_eq!(counted, u64::from(waits), "{context}");
            model.was_away |= waits;
        }
        Change::GiveUp => {
            let failure = unavailable_too_long();
            let given_up = ledger.give_up(Duration::ZERO, &failure).await;
            let given_up = given_up.expect("the ledger");
            let is_over = model.status == Some(ExportStatus::Queued) && model.was_away;
            assert_eq!(given_up, Vec::from_iter(is_over.then_some(id)), "{context}");
            if is_over {
                model.status = Some(ExportStatus::Failed);
            }
        }
        Change::Lapse => {
            let lapsed = ledger.requeue_lapsed(false).await.expect("the ledger");
            let runs = model.status == Some(ExportStatus::Running);
            assert_eq!(lapsed, Vec::from_iter(runs.then_some(id)), "{context}");
            if runs && model.alone {
                model.count_failure(false);
            } else if runs {
                model.end_claim(Some(ExportStatus::Queued));
            }
        }
        Change::Cancel => {
            let cancel = ledger.cancel(&org("a"), id).await.expect("the ledger");
            match (model.status, cancel) {
                (None, None) => {}
                (Some(status), Some(Cancel::Cancelled(_)))
                    if status.is_unfinished() || status == ExportStatus::Cancelled =>
                {
                    model.end_claim(Some(ExportStatus::Cancelled));
                }
                (Some(status), Some(Cancel::Finished(export))) if !status.is_unfinished() => {
                    assert_eq!(export.status, status, "{context}");
                }
                (_, cancel) => panic!("{cancel:?}: {context}"),
            }
        }
        Change::Expire => {
            let expired = ledger.expire().await.expect("the ledger");
            let due = model.status == Some(ExportStatus::Completed);
            assert_eq!(expired, u64::from(due), "{context}");
            if let Some(key) = model.published.clone().filter(|_| due) {
                model.status = Some(ExportStatus::Expired);
                model.left.push((key, OrphanedUpload::None));
            }
        }
        Change::Delete => {
            let deleted = ledger.delete(&org("a"), id).await.expect("the ledger");
            assert_eq!(deleted, model.status.is_some(), "{context}");
            if deleted {
                delete(model);
            }
        }
    }
}
