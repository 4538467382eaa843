//! A streaming replica that gives a reading up for the changes of its primary: that counts, ends, and says
//! which setting governs it.

use waybill_test_services::postgres::{Cluster, SUPERUSER, Setup};
use waybill_test_services::proxy::{Proxy, Step, Trap};

use crate::harness::eventually;
use crate::harness::launch::Launch;
use crate::harness::reports::export_of;
use crate::harness::services::Services;
use crate::harness::values::text;
use crate::harness::wide::{WIDE_ROWS, WideSource, first_lines, first_rows};

/// Holds an attempt before its upload while the primary removes rows under it, and lets it go on; returns
/// the trap of the next attempt. A replica that has no time to wait for the reading has ended it already.
async fn conflict(
    attempt: Trap,
    store: &Proxy,
    data: &WideSource,
    primary: &Cluster,
    replica: &Cluster,
) -> Trap {
    attempt.met().await;
    let waits = replica.recovery_waits();
    data.database().psql("UPDATE wide SET at = at");
    data.database().psql("VACUUM wide");
    let written = primary.written();
    eventually(
        "the replica waits for the reading, or has ended it",
        async || replica.has_replayed_or_waits(&written, waits).then_some(()),
    )
    .await;
    let next = store.hold(Step::UploadBegins);
    attempt.go_on();
    next
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_gives_a_reading_up_is_tried_again_and_not_for_ever() {
    let primary: &'static Cluster = Box::leak(Box::new(
        Setup::new()
            .setting("autovacuum", "off")
            .setting("max_standby_streaming_delay", "0")
            .setting("log_recovery_conflict_waits", "on")
            .setting("deadlock_timeout", "10ms")
            .start(),
    ));
    let data = WideSource::on(primary);
    let replica = primary.standby();
    replica.catch_up_with(primary);
    let services = Services::with_own_store();
    let store = Proxy::before_s3(services.store().address());
    let server = Launch::new()
        .own_source(
            &replica.url(SUPERUSER, data.database().name()),
            &data.catalog(),
        )
        .env("EXPORTS__MAX_ATTEMPTS", 2)
        .worker_env("STORAGE__ENDPOINT", format!("http://{}", store.address()))
        .start_on(services);
    let http = server.http();
    let body = export_of(&first_rows(WIDE_ROWS));

    let first = store.hold(Step::UploadBegins);
    let id = text(&http.submit(&body).await["id"]);
    let second = conflict(first, &store, &data, primary, &replica).await;
    second.met().await;
    second.go_on();
    let export = http.completed(&id).await;
    assert_eq!(export["attempt"], 2, "{export:#}");
    let file = http.file_of(&export).await;
    assert!(file == first_lines(WIDE_ROWS).into_bytes(), "the bytes");

    let first = store.hold(Step::UploadBegins);
    let id = text(&http.submit(&body).await["id"]);
    let second = conflict(first, &store, &data, primary, &replica).await;
    drop(conflict(second, &store, &data, primary, &replica).await);
    let failed = http.export_once(&id, "failed").await;
    assert_eq!(failed["error"]["code"], "source_conflict", "{failed:#}");
    let detail = text(&failed["error"]["detail"]);
    assert!(detail.contains("hot_standby_feedback"), "{detail}");
}
