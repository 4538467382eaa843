//! What an operator set up wrong, or changed: a bucket that is missing, keys that were rotated, a source
//! that is away, a clock. Nothing is claimed meanwhile, nothing fails, and work goes on once it is mended.

use serde_json::{Value, json};
use waybill_test_services::proxy::Step;
use waybill_test_services::s3::{S3, SECRET_ACCESS_KEY};

use super::outages::{as_it_is, held_at, uncharged};
use crate::harness::disturbed::Disturbed;
use crate::harness::eventually;
use crate::harness::http::Http;
use crate::harness::launch::Launch;
use crate::harness::reports::{all_sessions, export_of};
use crate::harness::values::text;

/// Waiting so long without a claim is more than any wake-up takes.
const UNCLAIMED: &str =
    "status = 'queued' AND epoch = 0 AND created_at < now() - interval '4 seconds'";

/// Waits until the workers have said that they claim nothing.
async fn nothing_is_claimed(server: &Disturbed) {
    eventually("workers claim nothing", async || {
        let logged = server.server.logged();
        logged
            .contains("are not claimed until it is back")
            .then_some(())
    })
    .await;
}

/// `/readyz` of the API says that this is missing.
async fn not_ready(http: &Http, missing: &str) {
    eventually(&format!("{missing} is missed"), async || {
        let answer = http.get("/readyz").await;
        (answer.status == 503 && answer.text().contains(missing)).then_some(())
    })
    .await;
}

/// While the store is broken so, exports are accepted and wait.
async fn nothing_fails_until_it_is_mended(break_it: fn(&S3), mend: fn(&S3)) {
    let server = Disturbed::start(as_it_is);
    let store = server.server.services().store();
    break_it(store);
    nothing_is_claimed(&server).await;
    not_ready(&server.http(), "storage").await;
    let ids = [server.submit().await, server.submit().await];
    for id in &ids {
        server.recorded(id, UNCLAIMED).await;
    }
    mend(store);
    server.completed().await;
    for id in &ids {
        server.recorded(id, "epoch = 1").await;
    }
    uncharged(server).await;
}

#[tokio::test]
async fn a_bucket_that_is_removed_and_made_again() {
    nothing_fails_until_it_is_mended(S3::remove_bucket, S3::make_bucket).await;
}

#[tokio::test]
async fn keys_that_are_rotated_and_rotated_back() {
    nothing_fails_until_it_is_mended(
        |store| store.rotate_secret("another secret"),
        |store| store.rotate_secret(SECRET_ACCESS_KEY),
    )
    .await;
}

#[tokio::test]
async fn waiting_for_a_store_that_is_never_mended_ends() {
    let server = Launch::new().own_services().demo_rows(100).start();
    let (http, database) = (server.http(), server.services().database());
    server.services().store().remove_bucket();
    let body = export_of(&all_sessions(Value::Null));
    let id = text(&http.submit(&body).await["id"]);
    let of = format!("FROM waybill.exports WHERE id = '{id}'");
    eventually("the time without a store counts", async || {
        let counted = database.psql(&format!("SELECT outage > '0' AND status = 'queued' {of}"));
        (counted == "t").then_some(())
    })
    .await;
    database.psql(&format!(
        "UPDATE waybill.exports SET outage = '24 hours' WHERE id = '{id}'"
    ));
    let failed = http.export_once(&id, "failed").await;
    assert_eq!(
        failed["error"]["code"], "unavailable_too_long",
        "{failed:#}"
    );
    assert_eq!(failed["attempt"], 1, "{failed:#}");
}

/// The store breaks so while parts of a file are on their way.
async fn a_running_export_is_handed_back(break_it: fn(&S3), mend: fn(&S3)) {
    let (server, id, part) = held_at(as_it_is, Step::LaterPart).await;
    let store = server.server.services().store();
    break_it(store);
    part.go_on();
    server
        .recorded(&id, "status = 'queued' AND epoch > 0")
        .await;
    mend(store);
    uncharged(server).await;
}

#[tokio::test]
async fn a_bucket_that_is_removed_while_an_export_runs() {
    a_running_export_is_handed_back(S3::remove_bucket, S3::make_bucket).await;
}

#[tokio::test]
async fn keys_that_are_rotated_while_an_export_runs() {
    a_running_export_is_handed_back(
        |store| store.rotate_secret("another secret"),
        |store| store.rotate_secret(SECRET_ACCESS_KEY),
    )
    .await;
}

/// The other dataset is read by a way of its own.
#[tokio::test]
async fn a_source_that_is_away_holds_up_its_own_datasets_alone() {
    let server = Disturbed::with_two_sources();
    server.source.go_away();
    nothing_is_claimed(&server).await;
    let id = server.submit().await;
    let http = server.http();
    let other = json!({
        "dataset": "other",
        "time_range": {"from": "2026-05-01T00:00:00Z", "to": "2026-05-02T00:00:00Z"},
        "dimensions": ["id"],
        "limit": 3,
    });
    let accepted = http.submit(&export_of(&other)).await;
    let other = text(&accepted["id"]);
    let export = http.completed(&other).await;
    assert_eq!(export["row_count"], 3, "{export:#}");
    http.delete(&other).await.expect(204);
    server.recorded(&id, UNCLAIMED).await;
    server.source.pass();
    server.completed().await;
    server.recorded(&id, "epoch = 1").await;
    uncharged(server).await;
}

/// A store whose clock is so far from that of the machine that everything else runs on.
#[tokio::test]
async fn a_clock_that_is_wrong_is_told_and_breaks_no_link() {
    const HOUR: i64 = 3_600;
    let server = Launch::new()
        .own_services()
        .demo_rows(500)
        // The store below knows this machine's clock alone: by that a link must not be over.
        .env("EXPORTS__LINK_SECONDS", 6 * HOUR)
        .start();
    let (http, store) = (server.http(), server.services().store());
    for (seconds, way) in [(3 * HOUR, "behind"), (-3 * HOUR, "ahead of")] {
        store.set_clock(seconds);
        not_ready(&http, "clock").await;
        let problem = http
            .get("/readyz")
            .await
            .problem(503, "storage_unavailable");
        let detail = text(&problem["detail"]);
        assert!(
            detail.contains(way) && detail.contains("the store's"),
            "{detail}"
        );
        let body = export_of(&all_sessions(Value::Null));
        let (export, file) = http.exported(&body).await;
        assert_eq!(export["attempt"], 1, "{export:#}");
        let target = format!("/v1/exports/{}/download", text(&export["id"]));
        let answer = http.get(&target).await.expect(307);
        let link = answer.has_header("location");
        assert!(http.get(link).await.expect(200).body == file);
        http.delete(&text(&export["id"])).await.expect(204);
    }
    assert!(server.logged().contains("set this machine's clock"));
    store.set_clock(60);
    eventually("a minute is no reason not to be ready", async || {
        (http.get("/readyz").await.status == 200).then_some(())
    })
    .await;
}
