//! The one reader behind all who watch exports, over a ledger whose reads are counted and disturbed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use parking_lot::Mutex;
use tokio::sync::broadcast;
use waybill_ledger::export::{Export, ExportId, ExportStatus};
use waybill_ledger::{Changes, LedgerError};
use waybill_report::caller::{KeyId, OrgId, Scope};

use super::harness::Service;
use crate::watcher::watchers::{Watcher, Watchers};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);
/// It bounds a failing test, not a passing one.
const DEADLINE: Duration = Duration::from_secs(30);

/// What a ledger is asked on behalf of everybody.
struct Counting {
    ledger: Arc<dyn Changes>,
    /// How often each revision of each export was read.
    reads: Mutex<HashMap<(ExportId, i64), usize>>,
    away: AtomicBool,
    hangs: AtomicBool,
    in_vain: AtomicUsize,
}

impl Counting {
    async fn disturb(&self) -> Result<(), LedgerError> {
        if self.hangs.swap(false, Ordering::SeqCst) {
            self.in_vain.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
        if self.away.load(Ordering::SeqCst) {
            self.in_vain.fetch_add(1, Ordering::SeqCst);
            return Err(LedgerError::SchemaOutdated);
        }
        Ok(())
    }

    fn reads(&self, id: ExportId, revision: i64) -> usize {
        let reads = self.reads.lock();
        reads.get(&(id, revision)).copied().unwrap_or_default()
    }

    /// Waits until so many reads came to nothing.
    async fn has_failed(&self, times: usize) {
        let failed = async {
            while self.in_vain.load(Ordering::SeqCst) < times {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(DEADLINE, failed)
            .await
            .expect("a read in vain");
    }
}

#[async_trait]
impl Changes for Counting {
    fn changes(&self) -> broadcast::Receiver<ExportId> {
        self.ledger.changes()
    }

    async fn get_many(&self, ids: &[ExportId]) -> Result<Vec<Export>, LedgerError> {
        self.disturb().await?;
        let exports = self.ledger.get_many(ids).await?;
        let mut reads = self.reads.lock();
        for export in &exports {
            *reads.entry((export.id, export.revision)).or_default() += 1;
        }
        Ok(exports)
    }

    async fn revisions(&self, ids: &[ExportId]) -> Result<Vec<(ExportId, i64)>, LedgerError> {
        self.disturb().await?;
        self.ledger.revisions(ids).await
    }
}

/// Exports of a service, watched beside it.
struct Fixture {
    service: Service,
    counting: Arc<Counting>,
    watchers: Arc<Watchers>,
    /// Kept where hints are to be lost and not to end.
    _silent: Option<broadcast::Sender<ExportId>>,
}

impl Fixture {
    /// Hears the ledger's hints from now on.
    fn hearing(service: Service) -> Self {
        let changes = service.ledger().changes();
        Self::new(service, changes, None)
    }

    /// Hears no hint.
    fn deaf(service: Service) -> Self {
        let (silent, changes) = broadcast::channel(1);
        Self::new(service, changes, Some(silent))
    }

    fn new(
        service: Service,
        changes: broadcast::Receiver<ExportId>,
        silent: Option<broadcast::Sender<ExportId>>,
    ) -> Self {
        let ledger = Arc::clone(&service.state.ledger);
        let shared = Arc::clone(&service.changes);
        let counting = Arc::new(Counting {
            ledger: shared,
            reads: Mutex::default(),
            away: AtomicBool::new(false),
            hangs: AtomicBool::new(false),
            in_vain: AtomicUsize::new(0),
        });
        let reads: Arc<dyn Changes> = counting.clone();
        Self {
            service,
            counting,
            watchers: Arc::new(Watchers::reading(ledger, reads, changes)),
            _silent: silent,
        }
    }

    async fn follow(&self, id: ExportId) -> Watcher {
        let followed = self.watchers.follow(&everything("org_demo"), id).await;
        followed.expect("the ledger").expect("an export").1
    }

    async fn queued(service: &Service) -> ExportId {
        service.accept().await.parse().expect("an id")
    }
}

fn everything(org: &str) -> Scope {
    Scope {
        org: OrgId::new(org),
        made_by: None,
    }
}

/// What the client is told next; `None` of a deletion.
async fn next(watch: &mut Watcher) -> Option<Arc<Export>> {
    let next = tokio::time::timeout(DEADLINE, watch.changed()).await;
    next.expect("a change")
}

#[tokio::test]
async fn a_change_is_read_once_for_all_who_watch() {
    let service = Service::start().await;
    let id = Fixture::queued(&service).await;
    let fixture = Fixture::hearing(service);
    let mut clients = Vec::new();
    for _ in 0..200 {
        clients.push(fixture.follow(id).await);
    }
    fixture.service.claim().await;
    let mut revision = 0;
    for client in &mut clients {
        let export = next(client).await.expect("it exists");
        assert_eq!(export.status, ExportStatus::Running);
        revision = export.revision;
    }
    let reads = fixture.counting.reads(id, revision);
    // Once for the hint; once more if the clock found it just before.
    assert!((1..=2).contains(&reads), "{reads} reads");
}

#[tokio::test]
async fn a_hint_that_is_lost_is_made_good_by_the_clock() {
    for fixture in [Fixture::deaf as fn(Service) -> Fixture, without_hints] {
        let service = Service::start().await;
        let id = Fixture::queued(&service).await;
        let fixture = fixture(service);
        let mut client = fixture.follow(id).await;
        let lease = fixture.service.claim().await;
        let running = next(&mut client).await.expect("it exists");
        assert_eq!(running.status, ExportStatus::Running);
        fixture.service.complete(&lease, WEEK).await;
        let completed = next(&mut client).await.expect("it exists");
        assert_eq!(completed.status, ExportStatus::Completed);
        assert_eq!(fixture.counting.reads(id, completed.revision), 1);
    }
}

/// Its hints have ended, as if whoever gives them was gone.
fn without_hints(service: Service) -> Fixture {
    let (_, changes) = broadcast::channel(1);
    Fixture::new(service, changes, None)
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test's own clock and tasks")]
async fn nobody_misses_the_end_however_it_comes_between() {
    const EXPORTS: usize = 10;
    let service = Service::start().await;
    let fixture = Fixture::hearing(service);
    let mut clients = Vec::new();
    for _ in 0..EXPORTS {
        let id = Fixture::queued(&fixture.service).await;
        for _ in 0..20 {
            let watchers = Arc::clone(&fixture.watchers);
            clients.push(tokio::spawn(async move {
                let scope = everything("org_demo");
                let followed = watchers.follow(&scope, id).await;
                let (mut seen, mut watch) = followed.expect("the ledger").expect("an export");
                let mut revision = 0;
                while seen.status.is_unfinished() {
                    assert!(seen.revision > revision, "it never goes back");
                    revision = seen.revision;
                    seen = next(&mut watch).await.expect("it exists");
                }
                seen.status
            }));
        }
        let lease = fixture.service.claim().await;
        fixture.service.complete(&lease, WEEK).await;
    }
    for client in clients {
        assert_eq!(client.await.expect("no panic"), ExportStatus::Completed);
    }
    assert_eq!(fixture.watchers.watched(), 0);
}

#[tokio::test]
async fn with_the_last_who_watches_an_export_is_forgotten() {
    let service = Service::start().await;
    let (one, other) = (
        Fixture::queued(&service).await,
        Fixture::queued(&service).await,
    );
    let fixture = Fixture::hearing(service);
    let first = fixture.follow(one).await;
    let second = fixture.follow(one).await;
    let of_other = fixture.follow(other).await;
    assert_eq!(fixture.watchers.watched(), 2);
    drop(first);
    assert_eq!(fixture.watchers.watched(), 2, "somebody is left");
    drop(second);
    assert_eq!(fixture.watchers.watched(), 1);
    drop(of_other);
    assert_eq!(fixture.watchers.watched(), 0);
}

#[tokio::test]
async fn what_lies_outside_the_scope_is_not_there_to_be_watched() {
    let service = Service::start().await;
    let id = Fixture::queued(&service).await;
    let fixture = Fixture::hearing(service);
    let _theirs = fixture.follow(id).await;
    let another_key = Scope {
        made_by: Some(KeyId::generate()),
        ..everything("org_demo")
    };
    for (scope, id) in [
        (everything("org_other"), id),
        (another_key, id),
        (everything("org_demo"), ExportId::generate()),
    ] {
        let followed = fixture.watchers.follow(&scope, id).await;
        assert!(followed.expect("the ledger").is_none(), "{scope:?}");
    }
    assert_eq!(fixture.watchers.watched(), 1, "only what is somebody's");
}

#[tokio::test]
async fn the_latest_is_what_was_read_and_nothing_that_is_gone_or_old() {
    let service = Service::start().await;
    let id = Fixture::queued(&service).await;
    let fixture = Fixture::deaf(service);
    let mut client = fixture.follow(id).await;
    fixture.service.claim().await;
    let running = next(&mut client).await.expect("it exists");
    let latest = known(&client, true).await.expect("it was looked at");
    assert_eq!(latest.revision, running.revision);

    fixture.counting.away.store(true, Ordering::SeqCst);
    assert!(known(&client, false).await.is_none());
    fixture.counting.away.store(false, Ordering::SeqCst);
    known(&client, true).await.expect("it is back");
    fixture.service.delete(&id.to_string()).await;
    assert!(next(&mut client).await.is_none());
    assert!(client.latest().is_none());
}

/// Waits until the latest is known, or is not.
async fn known(client: &Watcher, known: bool) -> Option<Arc<Export>> {
    let latest = async {
        loop {
            let latest = client.latest();
            if latest.is_some() == known {
                return latest;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, latest)
        .await
        .expect("in time")
}

#[tokio::test]
async fn a_deletion_is_told_with_and_without_a_hint() {
    for fixture in [Fixture::hearing as fn(Service) -> Fixture, Fixture::deaf] {
        let service = Service::start().await;
        let id = Fixture::queued(&service).await;
        let fixture = fixture(service);
        let mut clients = [fixture.follow(id).await, fixture.follow(id).await];
        let deleted = fixture.service.delete(&id.to_string()).await;
        assert!(deleted.status.is_success(), "{deleted:?}");
        for client in &mut clients {
            assert!(next(client).await.is_none());
        }
    }
}

#[tokio::test]
async fn a_ledger_that_is_away_or_hangs_delays_what_is_told_and_no_more() {
    let service = Service::start().await;
    let id = Fixture::queued(&service).await;
    let fixture = Fixture::hearing(service);
    let mut client = fixture.follow(id).await;

    fixture.counting.away.store(true, Ordering::SeqCst);
    let lease = fixture.service.claim().await;
    fixture.counting.has_failed(2).await;
    assert!(client.changed().now_or_never().is_none());
    fixture.counting.away.store(false, Ordering::SeqCst);
    let running = next(&mut client).await.expect("it exists");
    assert_eq!(running.status, ExportStatus::Running);

    fixture.counting.hangs.store(true, Ordering::SeqCst);
    fixture.service.complete(&lease, WEEK).await;
    let completed = next(&mut client).await.expect("it exists");
    assert_eq!(completed.status, ExportStatus::Completed);
    fixture.counting.has_failed(3).await;
}
