//! A streaming replica as a source: it removes rows under a reading when its primary did, and says what
//! its settings mean for exports.

use std::time::{Duration, Instant};

use serde_json::json;
use waybill_conformance::source::{CATALOG, file, open, plan_of, sources};
use waybill_report::query::ReportPlan;
use waybill_report::source::SourceError;
use waybill_test_services::postgres::{SUPERUSER, Setup};

use super::{TABLE, source};

const DEADLINE: Duration = Duration::from_secs(60);

/// More than what waits on its way to a reader that does not read.
const ROWS: &str = "INSERT INTO things (org, at, i, s)
    SELECT 'a', '2026-01-05', n, repeat('x', 1000) FROM generate_series(1, 60000) AS n";

fn plan() -> ReportPlan {
    plan_of(
        CATALOG,
        "a",
        json!({ "dataset": "things", "dimensions": ["i", "s"] }),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_removes_rows_under_a_reading_gives_it_up() {
    let primary = Setup::new()
        .setting("autovacuum", "off")
        .setting("max_standby_streaming_delay", "0")
        .setting("log_recovery_conflict_waits", "on")
        .setting("deadlock_timeout", "10ms")
        .start();
    let database = primary.database();
    database.psql(&format!("{TABLE}; {ROWS}"));
    let name = database.name();
    let replica = primary.standby();
    replica.catch_up_with(&primary);
    let sources = sources(source(replica.url(SUPERUSER, name)));
    let mut snapshot = open(&sources, &plan()).await.expect("a snapshot");
    snapshot.next().await.expect("rows").expect("a batch");

    database.psql("UPDATE things SET i = -i");
    database.psql("VACUUM things");
    let written = primary.written();
    let started = Instant::now();
    while !replica.has_replayed_or_waits(&written, 0) {
        assert!(started.elapsed() < DEADLINE, "it has no rows to remove");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut end = None;
    while let Some(batch) = snapshot.next().await {
        end = Some(batch);
    }
    let error = end.expect("an end").expect_err("not whole");
    assert!(matches!(error, SourceError::Conflict { .. }), "{error}");
    let failure = error.failure().expect("a client may wait");
    for setting in ["hot_standby_feedback", "max_standby_streaming_delay"] {
        assert!(failure.detail.contains(setting), "{}", failure.detail);
    }
    file(&sources, &plan())
        .await
        .expect("the next one is whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_tells_what_its_settings_mean_for_long_readings() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let primary = Setup::new().start();
    let of_primary = source(primary.url(SUPERUSER, "postgres"));
    let none = of_primary.advice(HOUR).await.expect("an answer");
    assert!(none.is_empty(), "{none:?}");

    let replica = primary.standby();
    let source = source(replica.url(SUPERUSER, "postgres"));
    let advice = async |settings: &[&str], longest| {
        for setting in settings {
            replica.psql("postgres", &format!("ALTER SYSTEM SET {setting}"));
        }
        replica.psql("postgres", "SELECT pg_reload_conf()");
        // A session takes new settings over with its next statement, once it has heard of them.
        let set = settings
            .last()
            .and_then(|setting| setting.split_once(" = "));
        let started = Instant::now();
        while let Some((name, value)) = set {
            if replica.psql("postgres", &format!("SHOW {name}")) == value.trim_matches('\'') {
                break;
            }
            assert!(started.elapsed() < DEADLINE, "{name} is not {value}");
        }
        source.advice(longest).await.expect("an answer")
    };
    let impatient = &["max_standby_streaming_delay = '30s'"];
    let [text] = &advice(impatient, HOUR).await[..] else {
        panic!("one sentence");
    };
    for word in [
        "30 s",
        "3600 s",
        "max_standby_streaming_delay",
        "hot_standby_feedback",
        "exports.timeout_seconds",
        "source_conflict",
    ] {
        assert!(text.contains(word), "{text}");
    }
    let short = advice(&[], Duration::from_secs(10)).await;
    assert!(short.is_empty(), "exports are shorter than that: {short:?}");
    let [text] = &advice(&["hot_standby_feedback = on"], HOUR).await[..] else {
        panic!("one sentence");
    };
    assert!(text.contains("exclusive lock"), "{text}");
    let patient = advice(&["max_standby_streaming_delay = '-1'"], HOUR).await;
    assert!(patient.is_empty(), "{patient:?}");
}
