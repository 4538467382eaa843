//! A distributed server whose workers reach PostgreSQL and S3 by way of proxies, and what must be true
//! of it whatever was done to it: nothing is lost and nothing is left over.
//!
//! The API has a way of its own to both, so that a test can look while its workers cannot.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use waybill_test_services::postgres::Database;
use waybill_test_services::proxy::Proxy;
use waybill_test_services::s3::Unfinished;

use super::http::Http;
use super::launch::Launch;
use super::reports::export_of;
use super::server::Server;
use super::services::Services;
use super::values::text;
use super::wide::{WIDE_ROWS, WideSource, first_lines, first_rows};
use super::{eventually, within};

/// How long something may be left over after the end of what it belongs to.
const LEFTOVERS: Duration = Duration::from_secs(30);

/// What a database is asked: sessions that do something for us, or have not ended it.
const BUSY: &str = "
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'";

/// Uploads of exports that go on, as far as the ledger knows.
const RECORDED: &str = "SELECT count(*) FROM waybill.uploads";

/// What has to go from the store and did not yet. What was removed is looked at again, much later.
const LEFT_OVER: &str = "SELECT count(*) FROM waybill.leftovers WHERE looks = 0";

/// What has to be told of exports and was not.
const UNTOLD: &str = "SELECT count(*) FROM waybill.outbox";

const UNFINISHED: &str =
    "SELECT count(*) FROM waybill.exports WHERE status IN ('queued', 'running')";

/// Sessions of anybody but the one that asks.
const SESSIONS: &str = "
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()";

/// See the module.
pub(crate) struct Disturbed {
    pub(crate) server: Server,
    /// Between workers and the ledger.
    pub(crate) ledger: Proxy,
    /// Between workers and the reports' data.
    pub(crate) source: Proxy,
    /// Between workers and the store.
    pub(crate) store: Proxy,
    data: WideSource,
    accepted: RefCell<Vec<Accepted>>,
    unheard_uploads: usize,
}

/// An export that was accepted.
#[derive(Clone)]
pub(crate) struct Accepted {
    id: String,
    rows: usize,
    end: End,
}

/// How an export has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Completed,
    Cancelled,
    Deleted,
    Expired,
}

impl Accepted {
    /// With all of its rows, unless its client ends it.
    pub(crate) fn new(id: &str, rows: usize) -> Self {
        Self {
            id: id.to_owned(),
            rows,
            end: End::Completed,
        }
    }
}

impl Disturbed {
    /// One API and one worker, with such settings.
    pub(crate) fn start(set: impl FnOnce(Launch) -> Launch) -> Self {
        Self::reading(WideSource::new(), set)
    }

    /// The same with another dataset, `other`, whose source everybody reaches undisturbed.
    pub(crate) fn with_two_sources() -> Self {
        let data = WideSource::new();
        data.add_dataset_of_source("other");
        let url = data.database().url();
        Self::reading(data, |launch| launch.env("SOURCES__OTHER__URL", url))
    }

    fn reading(data: WideSource, set: impl FnOnce(Launch) -> Launch) -> Self {
        let services = Services::with_own_store();
        let server = services.cluster().address();
        let ledger = Proxy::before_postgres(server);
        let source = Proxy::before_postgres(server);
        let store = Proxy::before_s3(services.store().address());
        let launch = Launch::new()
            .own_source(&data.database().url(), &data.catalog())
            .worker_env(
                "SOURCES__DEFAULT__URL",
                data.database().url_through(&source),
            )
            .worker_env("DATABASE__URL", services.database().url_through(&ledger))
            .worker_env("STORAGE__ENDPOINT", format!("http://{}", store.address()));
        Self {
            server: set(launch).start_on(services),
            ledger,
            source,
            store,
            data,
            accepted: RefCell::default(),
            unheard_uploads: 0,
        }
    }

    pub(crate) fn http(&self) -> Http {
        self.server.http()
    }

    /// Asks for an export of several parts and returns its id.
    pub(crate) async fn submit(&self) -> String {
        self.submit_rows(WIDE_ROWS).await
    }

    /// The same for the first rows alone.
    pub(crate) async fn submit_rows(&self, rows: usize) -> String {
        let accepted = self.http().submit(&export_of(&first_rows(rows))).await;
        let id = text(&accepted["id"]);
        self.account_for(Accepted::new(&id, rows));
        id
    }

    /// Counts an export in that was accepted.
    pub(crate) fn account_for(&self, accepted: Accepted) {
        self.accepted.borrow_mut().push(accepted);
    }

    /// Cancels an unfinished export.
    pub(crate) async fn cancel(&self, id: &str) {
        let export = self.http().cancel(id).await.export();
        assert_eq!(export["status"], "cancelled", "{export:#}");
        self.ends_as(id, End::Cancelled);
    }

    /// Deletes an export.
    pub(crate) async fn delete(&self, id: &str) {
        self.http().delete(id).await.expect(204);
        self.ends_as(id, End::Deleted);
    }

    /// Lets the time pass for which the file of a completed export is kept.
    pub(crate) fn expire(&self, id: &str) {
        let sql = format!("UPDATE waybill.exports SET expires_at = now() WHERE id = '{id}'");
        self.server.services().database().psql(&sql);
        self.ends_as(id, End::Expired);
    }

    fn ends_as(&self, id: &str, end: End) {
        let mut accepted = self.accepted.borrow_mut();
        let export = accepted.iter_mut().find(|export| export.id == id);
        export.expect("it was accepted here").end = end;
    }

    /// So many uploads may have been begun in the store without anybody hearing their ids. They have no
    /// part, and in a store that cannot list uploads nobody can remove them.
    pub(crate) fn uploads_may_be_unheard_of(&mut self, uploads: usize) {
        self.unheard_uploads += uploads;
    }

    /// Waits until every accepted export is completed.
    pub(crate) async fn completed(&self) {
        let accepted = self.accepted.borrow().clone();
        for Accepted { id, .. } in accepted {
            self.http().completed(&id).await;
        }
    }

    /// Waits until the ledger holds this of an export, by a condition on its row.
    pub(crate) async fn recorded(&self, id: &str, condition: &str) {
        let sql = format!("SELECT {condition} FROM waybill.exports WHERE id = '{id}'");
        let database = self.server.services().database();
        eventually(condition, async || {
            (database.psql(&sql) == "t").then_some(())
        })
        .await;
    }

    /// Waits until the lease on a running export was renewed so often from now on.
    pub(crate) async fn renewed(&self, id: &str, times: usize) {
        let database = self.server.services().database();
        let sql = format!("SELECT lease_expires_at FROM waybill.exports WHERE id = '{id}'");
        let mut last = database.psql(&sql);
        for _ in 0..times {
            last = eventually("the lease is renewed", async || {
                let now = database.psql(&sql);
                assert!(!now.is_empty(), "{id} is no longer running");
                (now != last).then_some(now)
            })
            .await;
        }
    }

    /// Every accepted export has ended as it has to, the completed ones with the bytes of an
    /// undisturbed run, and nothing else is there or goes on. Ends the server. Returns the completed
    /// exports as they were last.
    pub(crate) async fn settled(mut self) -> Vec<Value> {
        let accepted = self.accepted.take();
        let mut completed = Vec::new();
        for Accepted { id, rows, end } in &accepted {
            let http = self.http();
            match end {
                End::Completed => completed.push(whole(&http, id, *rows).await),
                End::Cancelled => drop(http.export_once(id, "cancelled").await),
                End::Expired => drop(http.export_once(id, "expired").await),
                End::Deleted => http.knows_nothing_of(id).await,
            }
        }
        let ids: Vec<String> = completed.iter().map(|export| text(&export["id"])).collect();
        self.nothing_is_left_over(&ids).await;

        let status = self.server.terminate();
        assert_eq!(status.code(), Some(0), "{status}");
        for database in [self.server.services().database(), self.data.database()] {
            is_zero(database, "sessions that outlive their process", SESSIONS).await;
        }
        completed
    }

    /// There is one object for each of these exports, and nothing else of any.
    async fn nothing_is_left_over(&self, ids: &[String]) {
        let services = self.server.services();
        within(LEFTOVERS, "one object for each file", async || {
            let objects = services.store().objects();
            let of = |id: &String| {
                let here = |object: &&PathBuf| object.iter().any(|part| part == id.as_str());
                objects.iter().filter(here).count()
            };
            // A published object never goes; others may be on their way out.
            assert!(ids.iter().all(|id| of(id) >= 1), "{ids:?} in {objects:?}");
            (objects.len() == ids.len()).then_some(())
        })
        .await;
        within(LEFTOVERS, "no unfinished upload", async || {
            let Unfinished { uploads, parts } = services.store().unfinished();
            (uploads <= self.unheard_uploads && parts == 0).then_some(())
        })
        .await;
        let (ledger, data) = (services.database(), self.data.database());
        is_zero(ledger, "recorded uploads", RECORDED).await;
        is_zero(ledger, "leftovers that nobody removed", LEFT_OVER).await;
        is_zero(ledger, "unfinished exports", UNFINISHED).await;
        is_zero(ledger, "ends that nobody was told", UNTOLD).await;
        for database in [ledger, data] {
            is_zero(database, "running queries", BUSY).await;
        }
    }
}

/// A completed export with all of its rows.
async fn whole(http: &Http, id: &str, rows: usize) -> Value {
    let export = http.completed(id).await;
    let file = http.file_of(&export).await;
    assert_eq!(export["row_count"], rows, "{export:#}");
    assert!(file == first_lines(rows).into_bytes(), "the bytes of {id}");
    export
}

async fn is_zero(database: &Database<'static>, what: &str, count: &str) {
    within(LEFTOVERS, &format!("no {what}"), async || {
        (database.psql(count) == "0").then_some(())
    })
    .await;
}
