//! A database of the version before there were specs goes on after the migration, with rows in every
//! state, with a program of before beside it, and with what a newer one leaves for its like.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::migrate::Migrator;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use tempfile::TempDir;
use waybill_config::DatabaseUrl;
use waybill_ledger::database::Database;
use waybill_ledger::export::{Export, ExportId, ExportStatus, Receipt};
use waybill_ledger::{Enqueued, Lane, Lanes, Ledger, NewExport, Page, Sharing, Terms};
use waybill_report::caller::{OrgId, Scope};
use waybill_report::encode::Format;
use waybill_report::query::ReportQuery;
use waybill_report::spec::{ReportSpec, SPEC_VERSION};
use waybill_test_services::postgres::Cluster;

const HOUR: Duration = Duration::from_secs(3_600);
/// The last migration before there were specs.
const BEFORE: &str = "0004";

/// The migrations of before, and the table that says which were applied.
async fn migrations_before(engine: &str, table: &'static str) -> (TempDir, Migrator) {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let copies = TempDir::new().expect("a folder");
    for file in fs::read_dir(all.join(engine)).expect("a folder") {
        let file = file.expect("a file");
        let name = file.file_name().into_string().expect("a name");
        if &name[..4] <= BEFORE {
            fs::copy(file.path(), copies.path().join(name)).expect("a copy");
        }
    }
    let migrator = Migrator::new(copies.path().to_owned()).await;
    let mut migrator = migrator.expect("migrations");
    migrator.dangerous_set_table_name(table);
    (copies, migrator)
}

/// One engine's way to run a statement that is written for both.
struct Engine<'e> {
    run: Box<dyn Fn(&str) + 'e>,
    words: [(&'static str, String); 3],
}

impl Engine<'_> {
    fn run(&self, statement: &str) {
        let statement = self
            .words
            .iter()
            .fold(statement.to_owned(), |text, (word, meaning)| {
                text.replace(word, meaning)
            });
        (self.run)(&statement);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_before_goes_on_on_postgresql() {
    let database = Cluster::shared().database();
    let (_copies, migrator) = migrations_before("postgres", "waybill.migrations").await;
    database.psql("CREATE SCHEMA waybill");
    let mut connection = PgConnection::connect(&database.url())
        .await
        .expect("a server");
    migrator.run(&mut connection).await.expect("migrations");
    let engine = Engine {
        run: Box::new(|statement| drop(database.psql(statement))),
        words: [
            ("{waybill}", "waybill.".to_owned()),
            ("{now}", "now()".to_owned()),
            ("{hour}", "interval '1 hour'".to_owned()),
        ],
    };
    let at = DatabaseUrl::try_from(database.url()).expect("a URL");
    goes_on(&at, &engine).await;
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "a test's own clock and tasks")]
async fn a_database_of_before_goes_on_on_sqlite() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("waybill.sqlite");
    let (_copies, migrator) = migrations_before("sqlite", "waybill_migrations").await;
    let url = format!("sqlite:{}?mode=rwc", file.display());
    let mut connection = SqliteConnection::connect(&url).await.expect("a file");
    migrator.run(&mut connection).await.expect("migrations");
    connection.close().await.expect("closed");
    let now = chrono::Utc::now().timestamp_micros();
    let engine = Engine {
        run: Box::new(|statement| {
            let file = rusqlite::Connection::open(&file).expect("a file");
            file.execute_batch(statement).expect(statement);
        }),
        words: [
            ("{waybill}", String::new()),
            ("{now}", now.to_string()),
            ("{hour}", HOUR.as_micros().to_string()),
        ],
    };
    let at = format!("sqlite:{}", file.display());
    goes_on(&DatabaseUrl::try_from(at).expect("a URL"), &engine).await;
}

/// An export as a program of before records it.
struct Recorded {
    id: ExportId,
    query: ReportQuery,
    format: Format,
    filename: &'static str,
}

impl Recorded {
    fn new(limit: u64, format: Format, filename: &'static str) -> Self {
        let query = json!({
            "dataset": "sessions",
            "time_range": { "from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z" },
            "filters": [{ "field": "status", "op": "eq", "value": "it's \"done\"" }],
            "limit": limit,
        });
        Self {
            id: ExportId::generate(),
            query: serde_json::from_value(query).expect("a query"),
            format,
            filename,
        }
    }

    fn spec(&self) -> ReportSpec {
        ReportSpec::from_parts(self.query.clone(), self.format, self.filename.to_owned())
    }

    fn stored_query(&self) -> String {
        serde_json::to_string(&self.query).expect("JSON")
    }

    /// What identical requests have in common, as a program of before says it.
    fn request(&self) -> String {
        let (query, format) = (self.stored_query(), self.format.name());
        let request =
            format!(r#"{{"org":"a","made_by":null,"query":{query},"format":"{format}"}}"#);
        hex::encode(Sha256::digest(request))
    }

    /// The statement that records it; `columns` and `values` say what its state is.
    fn insert(&self, columns: &str, values: &str) -> String {
        let quoted = |text: &str| text.replace('\'', "''");
        format!(
            "INSERT INTO {{waybill}}exports
                 (id, org_id, dataset, query, format, filename, max_attempts, created_at, run_after,
                  large, request, {columns})
             VALUES ('{}', 'a', 'sessions', '{}', '{}', '{}', 5, {{now}}, {{now}}, TRUE, '{}', {values})",
            self.id,
            quoted(&self.stored_query()),
            self.format.name(),
            quoted(self.filename),
            self.request(),
        )
    }

    fn asked_again(&self) -> NewExport {
        NewExport {
            org: OrgId::new("a"),
            made_by: None,
            spec: ReportSpec::new(self.query.clone(), self.format.into()),
            max_attempts: 5,
            estimated_rows: None,
            lane: Lane::Large,
        }
    }
}

fn terms(key: Option<&str>, sharing: Option<Sharing>) -> Terms {
    Terms {
        max_queued: 100,
        max_active: 100,
        sharing,
        idempotency_key: key.map(|key| key.parse().expect("a key")),
    }
}

fn is_replay_of(outcome: Option<Enqueued>, of: &Recorded) -> bool {
    matches!(outcome, Some(Enqueued::Replayed(export)) if export.id == of.id)
}

fn is_shared(outcome: &Enqueued, with: &Recorded) -> bool {
    matches!(outcome, Enqueued::Shared(export) if export.id == with.id)
}

async fn goes_on(at: &DatabaseUrl, engine: &Engine<'_>) {
    let derived = "sessions-20260424-20260524.csv";
    let queued = Recorded::new(1, Format::Csv, derived);
    let running = Recorded::new(2, Format::Csv, derived);
    let completed = Recorded::new(3, Format::Json, "sessions-20260424-20260524.json");
    let failed = Recorded::new(4, Format::Csv, "it's \"mine\".csv");
    let cancelled = Recorded::new(5, Format::Csv, derived);
    let expired = Recorded::new(6, Format::Json, "é\\.json");
    let every = [&queued, &running, &completed, &failed, &cancelled, &expired];
    let file = "object_key, row_count, limit_reached, size_bytes, sha256";
    let published = "'k', 3, FALSE, 42, 'ab'";
    for statement in [
        queued.insert("status, joinable, turn", "'queued', TRUE, 2"),
        running.insert(
            "status, epoch, lease_expires_at, started_at, materialized_at",
            "'running', 1, {now} - {hour}, {now} - {hour}, {now} - {hour}",
        ),
        completed.insert(
            &format!(
                "status, epoch, started_at, completed_at, materialized_at, expires_at, {file}"
            ),
            &format!("'completed', 1, {{now}}, {{now}}, {{now}}, {{now}} + {{hour}}, {published}"),
        ),
        failed.insert(
            "status, failures, completed_at, failure_code, failure_detail",
            "'failed', 5, {now}, 'internal', 'It did not work.'",
        ),
        cancelled.insert("status, completed_at", "'cancelled', {now}"),
        expired.insert(
            &format!("status, epoch, completed_at, expires_at, {file}"),
            &format!("'expired', 1, {{now}}, {{now}}, {published}"),
        ),
        format!(
            "INSERT INTO {{waybill}}uploads (object_key, upload_id, export_id, epoch)
             VALUES ('exports/running/1/csv', '', '{}', 1)",
            running.id
        ),
        "INSERT INTO {waybill}leftovers (object_key, look_at) VALUES ('exports/gone/1/csv', {now})"
            .to_owned(),
    ] {
        engine.run(&statement);
    }
    for (key, of) in [("open", &queued), ("done", &completed)] {
        engine.run(&format!(
            "INSERT INTO {{waybill}}idempotency_keys (org_id, made_by, key, request, export_id, created_at)
             VALUES ('a', '', '{key}', '{}', '{}', {{now}})",
            of.request(),
            of.id,
        ));
    }

    let ledger = Database::connect(at).await.expect("a database").ledger;
    assert!(
        ledger.check().await.is_err(),
        "it is older than this program"
    );
    let applied = Database::migrate(at).await.expect("migrations");
    let ours = applied.iter().any(|name| name.starts_with("waybill 0005"));
    assert!(ours, "{applied:?}");
    let ledger = ledger.as_ref();
    ledger.check().await.expect("as new as this program");

    everything_is_read(ledger, &every).await;
    requests_of_before_are_known(ledger, &queued, &completed).await;
    everything_is_worked_on(ledger, engine, &queued, &running).await;
}

async fn everything_is_read(ledger: &dyn Ledger, every: &[&Recorded]) {
    let scope = Scope {
        org: OrgId::new("a"),
        made_by: None,
    };
    let page = Page {
        status: None,
        dataset: Some("sessions".to_owned()),
        before: None,
        limit: 100,
    };
    let mut listed = ledger.list(&scope, &page).await.expect("the ledger");
    listed.reverse();
    assert_eq!(listed.len(), every.len());
    for (export, recorded) in listed.iter().zip(every) {
        assert_eq!((export.id, &export.spec), (recorded.id, &recorded.spec()));
    }
    let published = |export: &Export| export.receipt.is_some();
    assert_eq!(listed.iter().filter(|export| published(export)).count(), 2);
}

async fn requests_of_before_are_known(
    ledger: &dyn Ledger,
    queued: &Recorded,
    completed: &Recorded,
) {
    let replay = async |new: &Recorded, key: &str| {
        let key = key.parse().expect("a key");
        let outcome = ledger.replay(&new.asked_again(), &key).await;
        outcome.expect("the ledger")
    };
    assert!(is_replay_of(replay(queued, "open").await, queued));
    assert!(is_replay_of(replay(completed, "done").await, completed));
    let another = replay(completed, "open").await;
    assert!(matches!(another, Some(Enqueued::KeyReused)), "{another:?}");

    let ask = async |new: &Recorded, terms: Terms| {
        let outcome = ledger.enqueue(new.asked_again(), &terms).await;
        outcome.expect("the ledger")
    };
    let again = ask(queued, terms(Some("open"), None)).await;
    assert!(is_replay_of(Some(again), queued));
    let joined = ask(queued, terms(None, Some(Sharing::default()))).await;
    assert!(is_shared(&joined, queued), "{joined:?}");
    let reuse = Sharing { reuse: Some(HOUR) };
    let reused = ask(completed, terms(Some("new"), Some(reuse))).await;
    assert!(is_shared(&reused, completed), "{reused:?}");
    assert!(is_replay_of(replay(completed, "new").await, completed));
}

async fn everything_is_worked_on(
    ledger: &dyn Ledger,
    engine: &Engine<'_>,
    queued: &Recorded,
    running: &Recorded,
) {
    let lapsed = ledger.requeue_lapsed(false).await.expect("the ledger");
    assert_eq!(lapsed, [running.id]);
    // What a program of before records meanwhile, and what a newer one does for its like.
    let older = Recorded::new(7, Format::Json, "sessions-20260424-20260524.json");
    engine.run(&older.insert("status, joinable, turn", "'queued', TRUE, 3"));
    let newer = ExportId::generate();
    engine.run(&format!(
        "INSERT INTO {{waybill}}exports
             (id, org_id, status, dataset, query, format, filename, spec, spec_version, max_attempts,
              created_at, run_after, large)
         VALUES ('{newer}', 'b', 'queued', 'sessions', '{{}}', 'scroll', 'f', '{{}}', {}, 5, {{now}},
                 {{now}}, TRUE)",
        SPEC_VERSION + 1
    ));
    let backlog = ledger.backlog().await.expect("the ledger");
    assert_eq!((backlog.queued(), backlog.unknown()), (4, 1));
    // One is woken already, and nobody here is to be woken for the newer one.
    let woken = ledger.wake_waiting(Duration::ZERO).await;
    assert_eq!(woken.expect("the ledger"), 2);

    let mut claimed = BTreeSet::new();
    while let Some(claim) = ledger
        .claim_next(HOUR, Lanes::Any)
        .await
        .expect("the ledger")
    {
        let known = [queued, running, &older];
        let recorded = known.iter().find(|recorded| recorded.id == claim.export.id);
        let recorded = recorded.expect("one of those that wait");
        assert_eq!(claim.export.spec, recorded.spec());
        assert_eq!(claim.export.status, ExportStatus::Running);
        let receipt = Receipt {
            object_key: claim.lease.object_key(recorded.format),
            row_count: 1,
            limit_reached: false,
            size_bytes: 1,
            sha256: "ab".repeat(32),
        };
        let completed = ledger.complete(&claim.lease, &receipt, HOUR).await;
        completed.expect("the lease is held");
        claimed.insert(claim.export.id);
    }
    assert_eq!(claimed, BTreeSet::from([queued.id, running.id, older.id]));
    let backlog = ledger.backlog().await.expect("the ledger");
    assert_eq!((backlog.queued(), backlog.unknown()), (1, 1));

    let left = ledger.take_orphans(HOUR, Duration::ZERO).await;
    let left: BTreeSet<String> = left
        .expect("the ledger")
        .into_iter()
        .map(|orphan| orphan.object_key)
        .collect();
    let expected = ["exports/gone/1/csv", "exports/running/1/csv"];
    assert_eq!(left, expected.map(str::to_owned).into());
}
