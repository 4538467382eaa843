//! What is read of exports, by whom, and heard of their changes.

use waybill_ledger::export::{ExportId, ExportStatus};
use waybill_ledger::{Ledger, NewExport, Page};
use waybill_report::caller::{KeyId, OrgId, Scope};

use super::exports::{LEASE, claim, enqueue, heard, new_export, next_of, org, read, record};
use super::fixture::Fixture;

pub(super) async fn run(fresh: &impl AsyncFn() -> Fixture) {
    an_accepted_export_can_be_read_by_its_organisation_alone(fresh().await.ledger.as_ref()).await;
    lists_are_newest_first_and_paged(fresh().await.ledger.as_ref()).await;
    a_viewer_sees_what_its_key_made(fresh().await.ledger.as_ref()).await;
    many_exports_are_read_at_once(fresh().await.ledger.as_ref()).await;
    the_backlog_is_measured(fresh().await.ledger.as_ref()).await;
    changes_are_heard(fresh().await.ledger.as_ref()).await;
}

async fn an_accepted_export_can_be_read_by_its_organisation_alone(ledger: &dyn Ledger) {
    let export = enqueue(ledger, "a", 5).await;
    assert_eq!(export.status, ExportStatus::Queued);
    assert_eq!((export.epoch, export.failures, export.attempt()), (0, 0, 1));
    let stored = read(ledger, export.id).await;
    assert_eq!(stored.spec, export.spec);
    assert_eq!(stored.created_at, export.created_at);
    let other = ledger.get(&org("b"), export.id).await.expect("the ledger");
    assert!(other.is_none());
    let missing = ledger.get(&org("a"), ExportId::generate()).await;
    assert!(missing.expect("the ledger").is_none());
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
