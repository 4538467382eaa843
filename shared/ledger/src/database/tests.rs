//! Migrations, and what goes wrong with a URL.

use tempfile::TempDir;
use waybill_test_services::postgres::Cluster;

use super::*;

fn url(url: impl Into<String>) -> DatabaseUrl {
    DatabaseUrl::try_from(url.into()).expect("a URL")
}

async fn connect(at: &DatabaseUrl) -> Database {
    Database::connect(at).await.expect("a URL")
}

/// A file that does not exist yet, in a folder that goes with the first value.
fn file() -> (TempDir, DatabaseUrl) {
    let dir = TempDir::new().expect("a folder");
    let at = url(format!("sqlite:{}/waybill.sqlite", dir.path().display()));
    (dir, at)
}

/// Two processes at once: every migration is applied once, and told of once.
async fn migrates_once(at: &DatabaseUrl) {
    let (one, other) = tokio::join!(Database::migrate(at), Database::migrate(at));
    let (one, other) = (one.expect("migrations"), other.expect("migrations"));
    let applied = [&one[..], &other[..]].concat();
    let ours = applied
        .iter()
        .filter(|name| *name == "waybill 0001 exports");
    assert_eq!(ours.count(), 1, "{applied:?}");
    assert!(one.is_empty() || other.is_empty(), "{applied:?}");
    assert!(
        applied.iter().any(|name| name.starts_with("apalis ")),
        "{applied:?}"
    );
    let again = Database::migrate(at).await.expect("nothing to do");
    assert!(again.is_empty(), "{again:?}");
    let ledger = connect(at).await.ledger;
    ledger.check().await.expect("a migrated database");
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_migrate_at_once_do_it_once() {
    migrates_once(&url(Cluster::shared().database().url())).await;
    let (_dir, at) = file();
    migrates_once(&at).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_in_use_is_left_as_it_is() {
    let database = Cluster::shared().database();
    let theirs = "CREATE TABLE exports (theirs int); CREATE TABLE api_keys (theirs int);
        CREATE TABLE _sqlx_migrations (theirs int)";
    database.psql(theirs);
    let at = url(database.url());
    Database::migrate(&at).await.expect("migrations");
    connect(&at)
        .await
        .ledger
        .check()
        .await
        .expect("a migrated database");
    let tables = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    assert_eq!(database.psql(tables), "_sqlx_migrations api_keys exports");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_migrate_is_told_what_it_needs() {
    let database = Cluster::shared().database();
    let role = format!("reader_of_{}", database.name());
    database.psql(&format!("CREATE ROLE {role} LOGIN"));
    let refused = Database::migrate(&url(database.url_of(&role))).await;
    let error = refused.expect_err("it may not");
    assert!(matches!(error, DatabaseError::NotPermitted(_)), "{error}");
    for needed in [
        "GRANT CREATE ON DATABASE",
        "GRANT CREATE ON SCHEMA public",
        "pgcrypto",
        "hstore",
    ] {
        assert!(error.to_string().contains(needed), "{error}");
    }
    // What it says suffices.
    let name = database.name();
    database.psql(&format!(
        "GRANT CREATE ON DATABASE {name} TO {role};
        GRANT CREATE ON SCHEMA public TO {role}"
    ));
    let at = url(database.url_of(&role));
    Database::migrate(&at).await.expect("it may now");
    connect(&at)
        .await
        .ledger
        .check()
        .await
        .expect("a migrated database");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_not_made_by_looking() {
    let (dir, at) = file();
    assert!(connect(&at).await.ledger.check().await.is_err());
    assert!(!dir.path().join("waybill.sqlite").exists());
}

/// sqlx queues no rollback for a BEGIN that was given up before its answer came.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_beginning_was_given_up_takes_nobodys_writes_with_it() {
    let database = Cluster::shared().database();
    database.psql("CREATE TABLE written (n int)");
    let options = postgres::options(&url(database.url())).expect("a URL");
    let pool = postgres::pool(options);
    sqlx::query("SELECT 1").execute(&pool).await.expect("a row");
    all_are_back(&pool).await;

    {
        // So that the answer is surely on its way still.
        let slowly = "BEGIN; SELECT pg_sleep(0.5)";
        let mut beginning = Box::pin(pool.begin_with(slowly));
        let begun = futures::poll!(beginning.as_mut());
        assert!(begun.is_pending(), "the server has not answered yet");
    }
    all_are_back(&pool).await;
    assert_eq!(pool.size(), 1, "the next user gets that connection");
    sqlx::query("INSERT INTO written VALUES (1)")
        .execute(&pool)
        .await
        .expect("written");
    assert_eq!(database.psql("SELECT count(*) FROM written"), "1");
}

/// Waits until no connection is in use.
async fn all_are_back(pool: &sqlx::PgPool) {
    let back = async {
        while pool.num_idle() < pool.size() as usize {
            tokio::task::yield_now().await;
        }
    };
    let deadline = std::time::Duration::from_secs(30);
    tokio::time::timeout(deadline, back).await.expect("back");
}
