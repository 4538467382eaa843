//! What happens to the exports of a service: by its clients, by a worker, and behind its back.

use std::time::Duration;

use http::{Method, StatusCode};
use waybill_ledger::export::{Failure, FailureCode, Receipt};
use waybill_ledger::{Lanes, Lease, Ledger};
use waybill_report::caller::OrgId;

use super::answer::Answer;
use super::requests::{EXPORT, ONE_OF_ITS_OWN, request, small_export};
use super::service::Service;
use crate::watcher::places::Place;

impl Service {
    /// Records an export, whatever others there are, and returns its id.
    pub(crate) async fn accept(&self) -> String {
        let answer = self.post(EXPORT, &ONE_OF_ITS_OWN, &small_export()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    pub(crate) async fn cancel(&self, id: &str) -> Answer {
        let path = format!("/v1/exports/{id}/cancel");
        self.send(request(Method::POST, &path)).await
    }

    pub(crate) async fn delete(&self, id: &str) -> Answer {
        let path = format!("/v1/exports/{id}");
        self.send(request(Method::DELETE, &path)).await
    }

    pub(crate) fn ledger(&self) -> &dyn Ledger {
        self.ledger.as_ref()
    }

    /// Every place for clients that wait which the organisation gets.
    pub(crate) fn places(&self) -> Vec<Place> {
        let org = OrgId::new("org_demo");
        std::iter::from_fn(|| self.state.long_poll.places.place(&org)).collect()
    }

    /// Claims the next export, as a worker does.
    pub(crate) async fn claim(&self) -> Lease {
        let claim = self
            .ledger()
            .claim_next(Duration::from_secs(60), Lanes::Any)
            .await;
        claim.expect("the ledger").expect("an export").lease
    }

    pub(crate) async fn complete(&self, lease: &Lease, retention: Duration) {
        let receipt = Receipt {
            object_key: format!("exports/{}/1/csv", lease.export_id()),
            row_count: 3,
            limit_reached: false,
            size_bytes: 42,
            sha256: "ab".repeat(32),
        };
        let completed = self.ledger().complete(lease, &receipt, retention).await;
        completed.expect("the lease is good");
    }

    pub(crate) async fn fail(&self, lease: &Lease) {
        let failure = Failure {
            code: FailureCode::TooManyRows,
            detail: "More than 1000 rows.".to_owned(),
        };
        let failed = self.ledger().fail(lease, &failure, None).await;
        failed.expect("the lease is good");
    }

    /// Takes the ledger's tables away.
    pub(crate) fn break_ledger(&self) {
        self.drop_table("exports");
    }

    /// Takes the table of keys away.
    pub(crate) fn break_keys(&self) {
        self.drop_table("api_keys");
    }

    fn drop_table(&self, table: &str) {
        self.change_behind_its_back(&format!("DROP TABLE {table}"));
    }

    /// Changes the ledger without a hint to anyone.
    pub(crate) fn change_behind_its_back(&self, sql: &str) {
        let ledger = rusqlite::Connection::open(self.dir.path().join("ledger.sqlite"));
        let changed = ledger.expect("the file").execute_batch(sql);
        changed.expect("nobody writes");
    }

    /// Takes the source away.
    pub(crate) fn break_source(&self) {
        std::fs::remove_file(self.dir.path().join("source.sqlite")).expect("the file");
    }
}
