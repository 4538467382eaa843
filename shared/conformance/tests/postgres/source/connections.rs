//! What happens to connections: dropped snapshots, restarts, refusals, roles, bounds.

use std::time::{Duration, Instant};

use serde_json::json;
use waybill_conformance::source::{Backend, CATALOG, SIZES, file, open, plan_of, sources};
use waybill_report::query::ReportPlan;
use waybill_report::source::{Prepared, SourceError, SourceLimits, Sources};
use waybill_test_services::postgres::{Cluster, Database, Setup};

use super::{LIMITS, TABLE, Things, source, source_within};

/// Far above what anything here takes.
const DEADLINE: Duration = Duration::from_secs(30);

fn plan() -> ReportPlan {
    plan_of(
        CATALOG,
        "a",
        json!({ "dataset": "things", "dimensions": ["i"] }),
    )
}

/// A report whose query takes a minute before its first row.
fn slow_plan() -> ReportPlan {
    let catalog = CATALOG.replace("sql = \"i\"", "sql = \"(SELECT 1 FROM pg_sleep(60))\"");
    plan_of(
        &catalog,
        "a",
        json!({ "dataset": "things", "dimensions": ["i"] }),
    )
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < DEADLINE, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn one_row(database: &Database<'_>) {
    database.psql("INSERT INTO things (org, at, i) VALUES ('a', '2026-01-05', 1)");
}

fn sessions(database: &Database<'_>, condition: &str) -> u32 {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'waybill'
           AND backend_type = 'client backend' AND {condition}"
    );
    database.psql(&sql).parse().expect("a number")
}

async fn whole(sources: &Sources) -> Result<(), SourceError> {
    file(sources, &plan())
        .await
        .map(|csv| assert_eq!(csv, "i\n1\n"))
}

#[tokio::test]
async fn nothing_runs_on_for_a_dropped_snapshot() {
    let things = Things::new();
    one_row(&things.database);
    let sources = sources(things.source());
    // One that computes, and one that waits for its reader.
    let computing = open(&sources, &slow_plan()).await.expect("a snapshot");
    until("the query runs", || {
        sessions(&things.database, "query LIKE 'COPY%' AND state = 'active'") == 1
    })
    .await;
    drop(computing);
    until("it is gone", || {
        sessions(&things.database, "state <> 'idle'") == 0
    })
    .await;

    things.execute("INSERT INTO things (org, at, i) SELECT 'a', '2026-01-05', n FROM generate_series(1, 500000) AS n");
    let mut sending = open(&sources, &plan()).await.expect("a snapshot");
    sending.next().await.expect("rows").expect("a batch");
    assert_eq!(sessions(&things.database, "state = 'active'"), 1);
    drop(sending);
    until("it is gone", || {
        sessions(&things.database, "state <> 'idle'") == 0
    })
    .await;
}

#[tokio::test]
async fn an_opening_that_is_given_up_leaves_nothing() {
    let things = Things::new();
    one_row(&things.database);
    let sources = sources(things.source());
    let read = async {
        let mut snapshot = open(&sources, &slow_plan()).await.expect("a snapshot");
        snapshot.next().await
    };
    assert!(
        tokio::time::timeout(Duration::from_millis(300), read)
            .await
            .is_err()
    );
    until("nothing runs", || {
        sessions(&things.database, "state <> 'idle'") == 0
    })
    .await;
}

#[tokio::test]
async fn a_whole_report_leaves_its_connection_for_the_next() {
    let things = Things::new();
    one_row(&things.database);
    let limits = SourceLimits {
        connections: 1,
        ..LIMITS
    };
    let sources = sources(source_within(things.database.url(), limits));
    let process = || {
        things.database.psql(
            "SELECT pid FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'waybill'",
        )
    };
    whole(&sources).await.expect("a report");
    let first = process();
    for _ in 0..10 {
        whole(&sources).await.expect("a report");
        let source = sources.get("default").expect("the source");
        source.check().await.expect("an answer");
        let prepared = source.prepare(&["SELECT nonsense".to_owned()]).await;
        let prepared = prepared.expect("an answer");
        assert!(
            matches!(prepared[..], [Prepared::Refused(_)]),
            "{prepared:?}"
        );
        sources
            .estimate(&plan(), 10, None)
            .await
            .expect("an answer");
    }
    assert_eq!(process(), first, "one connection served all");
    until("the snapshot is closed", || {
        sessions(&things.database, "state <> 'idle'") == 0
    })
    .await;
}

#[tokio::test]
async fn a_server_that_was_restarted_is_not_noticed() {
    let cluster = Setup::new().start();
    let name = {
        let database = cluster.database();
        database.psql(TABLE);
        one_row(&database);
        database.psql("CHECKPOINT");
        database.name().to_owned()
    };
    let url = format!("postgres://postgres@{}/{name}", cluster.address());
    let sources = sources(source(url));
    let both = async || tokio::join!(whole(&sources), whole(&sources));
    let (one, other) = both().await;
    one.and(other).expect("two reports at a time");
    cluster.stop();
    let error = whole(&sources).await.expect_err("it is down");
    assert!(matches!(error, SourceError::Unavailable(_)), "{error}");
    cluster.start_again();
    whole(&sources).await.expect("it is back");

    let (one, other) = both().await;
    one.and(other).expect("two reports at a time");
    cluster.stop();
    cluster.start_again();
    let (one, other) = both().await;
    one.and(other)
        .expect("its connections are dead, and nobody sees it");
}

#[tokio::test]
async fn a_connection_that_was_ended_is_replaced() {
    let things = Things::new();
    one_row(&things.database);
    let sources = sources(things.source());
    for _ in 0..3 {
        whole(&sources).await.expect("a report");
        until("the snapshot is closed", || {
            sessions(&things.database, "state = 'idle'") == 1
        })
        .await;
        things.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'waybill'",
        );
    }
}

#[tokio::test]
async fn a_server_that_goes_down_is_an_outage_and_no_short_result() {
    let things = Things::new();
    things.execute("INSERT INTO things (org, at, i) SELECT 'a', '2026-01-05', n FROM generate_series(1, 500000) AS n");
    let sources = sources(things.source());
    let mut snapshot = open(&sources, &plan()).await.expect("a snapshot");
    snapshot.next().await.expect("rows").expect("a batch");
    things.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND datname = current_database()");
    let mut end = None;
    while let Some(batch) = snapshot.next().await {
        end = Some(batch);
    }
    let error = end.expect("an end").expect_err("not whole");
    assert!(matches!(error, SourceError::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn the_statement_timeout_is_told_apart() {
    let things = Things::new();
    one_row(&things.database);
    let limits = SourceLimits {
        statement_timeout: Duration::from_millis(200),
        ..LIMITS
    };
    let sources = sources(source_within(things.database.url(), limits));
    let error = file(&sources, &slow_plan()).await.expect_err("too slow");
    assert!(matches!(error, SourceError::Cancelled(_)), "{error}");
    whole(&sources).await.expect("the next one");
}

#[tokio::test]
async fn a_source_whose_connections_are_all_in_use_is_there() {
    let things = Things::new();
    one_row(&things.database);
    let limits = SourceLimits {
        connections: 1,
        ..LIMITS
    };
    let sources = sources(source_within(things.database.url(), limits));
    let _reading = open(&sources, &slow_plan()).await.expect("a snapshot");
    let source = sources.get("default").expect("the source");
    source.check().await.expect("it is there");
}

#[tokio::test]
async fn a_slow_search_for_the_newest_row_costs_freshness_only() {
    let things = Things::new();
    one_row(&things.database);
    let catalog = CATALOG.replace(
        "updated = \"at\"",
        "updated = \"(SELECT at FROM pg_sleep(60))\"",
    );
    let broken = CATALOG.replace("updated = \"at\"", "updated = \"no_such_column\"");
    let sources = sources(things.source());
    for catalog in [catalog, broken] {
        let plan = plan_of(
            &catalog,
            "a",
            json!({ "dataset": "things", "dimensions": ["i"] }),
        );
        let mut snapshot = sources
            .open(&plan, 10, SIZES, Duration::from_millis(50))
            .await
            .expect("a snapshot");
        assert_eq!(snapshot.source_updated_at, None);
        let batch = snapshot.next().await.expect("rows").expect("a batch");
        assert_eq!(batch.num_rows(), 1);
        assert!(snapshot.next().await.is_none());
    }
    until("the snapshots are closed", || {
        sessions(&things.database, "state <> 'idle'") == 0
    })
    .await;
}

#[tokio::test]
async fn connections_are_bounded_and_taken_in_turn() {
    let things = Things::new();
    one_row(&things.database);
    let limits = SourceLimits {
        connections: 2,
        ..LIMITS
    };
    let sources = sources(source_within(things.database.url(), limits));
    let reports = (0..16).map(|_| whole(&sources));
    for report in futures::future::join_all(reports).await {
        report.expect("its turn came");
    }
    assert!((1..=2).contains(&sessions(&things.database, "TRUE")));
}

#[tokio::test]
async fn a_role_that_may_only_read_is_enough() {
    let things = Things::new();
    one_row(&things.database);
    let role = format!("reader_of_{}", things.database.name());
    things.execute(&format!("CREATE ROLE {role} LOGIN; GRANT SELECT ON things TO {role}; CREATE TABLE secrets AS SELECT * FROM things"));
    let sources = sources(source(things.database.url_of(&role)));
    whole(&sources).await.expect("it may read");
    let slow = open(&sources, &slow_plan()).await.expect("a snapshot");
    drop(slow);
    until("nothing runs", || {
        sessions(&things.database, "state <> 'idle'") == 0
    })
    .await;

    let secrets = CATALOG.replace("table = \"things\"", "table = \"secrets\"");
    let query = json!({ "dataset": "things", "dimensions": ["i"] });
    let error = file(&sources, &plan_of(&secrets, "a", query))
        .await
        .expect_err("not these");
    assert!(
        matches!(&error, SourceError::Refused(text) if text.contains("permission denied")),
        "{error}"
    );
    let catalog = waybill_report::catalog::Catalog::parse(&secrets).expect("sound");
    let findings = catalog.check(&sources).await.expect("an answer");
    assert!(
        findings
            .faults
            .expect("a fault")
            .to_string()
            .contains("permission denied")
    );
}

#[tokio::test]
async fn nothing_is_written_whatever_the_catalog_says() {
    let things = Things::new();
    one_row(&things.database);
    things.execute("CREATE SEQUENCE numbers");
    let catalog = CATALOG.replace("sql = \"i\"", "sql = \"nextval('numbers')\"");
    let sources = sources(things.source());
    let query = json!({ "dataset": "things", "dimensions": ["i"] });
    let error = file(&sources, &plan_of(&catalog, "a", query))
        .await
        .expect_err("it writes");
    assert!(matches!(error, SourceError::Refused(_)), "{error}");
    let source = sources.get("default").expect("it");
    let two = source
        .prepare(&["SELECT 1; DROP TABLE things".to_owned()])
        .await;
    let two = two.expect("an answer");
    assert!(matches!(two[..], [Prepared::Refused(_)]), "{two:?}");
    whole(&sources).await.expect("it is all there");
}

#[tokio::test]
async fn who_is_not_let_in_or_finds_nobody_waits() {
    let database = Cluster::shared().database();
    let nobody = format!(
        "postgres://nobody@{}/{}",
        Cluster::shared().address(),
        database.name()
    );
    for url in [
        nobody,
        database.url() + "_not_there",
        "postgres://postgres@127.0.0.1:1/x".to_owned(),
    ] {
        let error = source(url).check().await.expect_err("no connection");
        assert!(matches!(error, SourceError::Unavailable(_)), "{error}");
    }
}

/// A standby refuses whatever is serializable, with a text that blames no setting.
#[tokio::test]
async fn a_standby_is_read_whatever_its_roles_default_to() {
    let primary = Setup::new().start();
    let database = primary.database();
    let name = database.name();
    database.psql(TABLE);
    one_row(&database);
    database.psql(
        "CREATE ROLE strict LOGIN; GRANT SELECT ON things TO strict;
         ALTER ROLE strict SET default_transaction_isolation = 'serializable'",
    );
    let standby = primary.standby();
    standby.catch_up_with(&primary);
    let sources = sources(source(standby.url("strict", name)));
    whole(&sources).await.expect("a report");
    sources
        .estimate(&plan(), 10, None)
        .await
        .expect("an answer");
    let source = sources.get("default").expect("the source");
    source.check().await.expect("an answer");
    let catalog = waybill_report::catalog::Catalog::parse(CATALOG).expect("the test's catalog");
    let findings = catalog.check(&sources).await.expect("an answer");
    assert_eq!(findings.faults, None);

    let running = |condition: &str| {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'strict' AND {condition}"
        );
        standby.psql(name, &sql)
    };
    let slow = open(&sources, &slow_plan()).await.expect("a snapshot");
    until("the query runs", || {
        running("query LIKE 'COPY%' AND state = 'active'") == "1"
    })
    .await;
    drop(slow);
    until("it is gone", || running("state <> 'idle'") == "0").await;
}

#[tokio::test]
async fn whatever_is_refused_every_statement_is_told_of() {
    let things = Things::new();
    let source = things.source();
    let statements = |texts: &[&str]| {
        texts
            .iter()
            .map(|text| (*text).to_owned())
            .collect::<Vec<_>>()
    };
    let many: Vec<String> = (0..250)
        .map(|n| format!("SELECT {n} FROM things"))
        .collect();
    let prepared = source.prepare(&many).await.expect("an answer");
    assert_eq!(prepared, vec![Prepared::Accepted; 250]);
    let mixed = statements(&[
        "SELECT a",
        "SELECT 1",
        "SELECT b",
        "SELECT c",
        "SELECT i FROM things",
    ]);
    let prepared = source.prepare(&mixed).await.expect("an answer");
    let refused: Vec<bool> = prepared
        .iter()
        .map(
            |prepared| matches!(prepared, Prepared::Refused(why) if why.contains("does not exist")),
        )
        .collect();
    assert_eq!(refused, [true, false, true, true, false], "{prepared:?}");
    assert_eq!(source.prepare(&[]).await.expect("an answer"), []);
}
