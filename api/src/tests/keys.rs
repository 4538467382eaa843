//! Who may call, and what a key gives.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use chrono::Utc;
use http::StatusCode;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};
use waybill_config::DatabaseUrl;
use waybill_ledger::keys::NewKey;
use waybill_report::caller::{KeyId, OrgId, Role};
use waybill_test_services::postgres::{Cluster, Setup};

use super::document::operations;
use super::harness::{
    Answer, EXPORT, Events, QUERY, Service, range, request, small_export, small_query,
};

/// How long a condition may take to come true: it bounds a failing test, not a passing one.
const DEADLINE: Duration = Duration::from_secs(60);

/// A key and the header that shows it.
pub(super) struct Holder {
    id: KeyId,
    authorization: String,
}

impl Holder {
    pub(super) async fn of(service: &Service, new: NewKey) -> Self {
        let (key, secret) = service.keys.create(new).await.expect("a key");
        Self {
            id: key.id,
            authorization: format!("Bearer {}", secret.expose()),
        }
    }

    pub(super) async fn get(&self, service: &Service, path: &str) -> Answer {
        let header = [("authorization", self.authorization.as_str())];
        service.get_with(path, &header).await
    }

    async fn post(&self, service: &Service, path: &str, body: &Value) -> Answer {
        let headers = [
            ("authorization", self.authorization.as_str()),
            ("prefer", "respond-async"),
        ];
        service.post(path, &headers, body).await
    }

    /// Sends requests to an operation of the document until that is too often.
    pub(super) async fn too_often(&self, service: &Service, method: &str, path: &str) -> Answer {
        let began = Instant::now();
        loop {
            let method = method.to_uppercase().parse().expect("a method");
            let mut request = request(method, &path.replace("{id}", "export_0"));
            let authorization = self.authorization.parse().expect("a header value");
            request.headers_mut().insert(AUTHORIZATION, authorization);
            let answer = service.send(request).await;
            if answer.status == StatusCode::TOO_MANY_REQUESTS {
                return answer;
            }
            assert!(began.elapsed() < DEADLINE, "it may call on and on");
        }
    }

    /// Has a job made and returns its id.
    async fn export(&self, service: &Service) -> String {
        let answer = self.post(service, EXPORT, &small_export()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        answer.json()["id"].as_str().expect("an id").to_owned()
    }
}

fn key(org: &str, role: Role, datasets: Option<&str>) -> NewKey {
    NewKey {
        org: OrgId::new(org),
        role,
        datasets: datasets.map(|name| BTreeSet::from([name.to_owned()])),
        expires_at: None,
    }
}

/// A key that may do everything in `org_demo`.
pub(super) fn admin_key() -> NewKey {
    key("org_demo", Role::Admin, None)
}

/// A key that sees its own exports in `org_demo`.
pub(super) fn viewer_key() -> NewKey {
    key("org_demo", Role::Viewer, None)
}

fn url_of(database: &waybill_test_services::postgres::Database<'_>) -> DatabaseUrl {
    DatabaseUrl::try_from(database.url()).expect("a URL")
}

/// The same on both databases.
async fn on_both(test: impl AsyncFn(Service)) {
    test(Service::asking_for_keys().await).await;
    let database = Cluster::shared().database();
    test(Service::on_postgres(&url_of(&database)).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "a test's own clock and tasks")]
async fn what_is_no_key_in_force_is_refused_in_one_way() {
    on_both(async |service| {
        let expired = NewKey {
            expires_at: Some(Utc::now() - Duration::from_secs(1)),
            ..admin_key()
        };
        let expired = Holder::of(&service, expired).await;
        let revoked = Holder::of(&service, admin_key()).await;
        service.keys.revoke(&revoked.id).await.expect("revoked");
        let good = Holder::of(&service, admin_key()).await;
        let secret = good.authorization.trim_start_matches("Bearer ");
        let mut refusals = BTreeSet::new();
        for header in [
            &expired.authorization,
            &revoked.authorization,
            &format!("{}x", good.authorization),
            &good.authorization[..good.authorization.len() - 1],
            &good.authorization.to_uppercase(),
            &format!("Basic {secret}"),
            secret,
            "Bearer",
            "Bearer nothing",
        ] {
            let answer = service
                .get_with("/v1/reports/catalog", &[("authorization", header)])
                .await;
            assert_eq!(
                answer.problem(),
                (401, "unauthorized".to_owned()),
                "{header}"
            );
            assert!(!answer.text().contains(secret));
            refusals.insert(answer.json()["detail"].to_string());
        }
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        let lower = good.authorization.replace("Bearer", "bearer");
        for header in [&good.authorization, &lower] {
            let answer = service
                .get_with("/v1/reports/catalog", &[("authorization", header)])
                .await;
            assert_eq!(answer.status, StatusCode::OK);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_no_key_a_moment_ago_costs_the_database_nothing_and_may_become_one() {
    let service = Service::asking_for_keys().await;
    let holder = Holder::of(&service, admin_key()).await;
    let revoke = "UPDATE api_keys SET revoked_at = ";
    service.change_behind_its_back(&format!("{revoke} created_at"));
    let refused = holder.get(&service, "/v1/exports").await;
    assert_eq!(refused.problem(), (401, "unauthorized".to_owned()));
    service.change_behind_its_back(&format!("{revoke} NULL"));
    let began = Instant::now();
    while holder.get(&service, "/v1/exports").await.status != StatusCode::OK {
        assert!(began.elapsed() < DEADLINE, "it is in force");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let id = KeyId::generate();
    let unknown = |tail: char| {
        let tail = String::from(tail).repeat(40);
        format!("Bearer waybill_{}_{tail}", id.letters())
    };
    let ask = async |key: &str| {
        let headers = [("authorization", key)];
        service.get_with("/v1/exports", &headers).await.status
    };
    let (known, other) = (unknown('x'), unknown('y'));
    assert_eq!(ask(&known).await, StatusCode::UNAUTHORIZED);
    service.break_keys();
    assert_eq!(ask(&known).await, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&other).await, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_gives_the_rows_of_its_organisation_and_the_datasets_that_it_names() {
    on_both(async |service| {
        let rows = async |holder: &Holder| {
            let answer = holder.post(&service, QUERY, &small_query()).await;
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            answer.json()["rows"].as_array().expect("rows").len()
        };
        let viewer = Holder::of(&service, key("org_demo", Role::Viewer, None)).await;
        let admin = Holder::of(&service, admin_key()).await;
        let nobody = Holder::of(&service, key("org_nobody", Role::Admin, None)).await;
        let one = Holder::of(&service, key("org_demo", Role::Viewer, Some("sessions"))).await;
        assert_eq!((rows(&viewer).await, rows(&nobody).await), (3, 0));

        let names = async |holder: &Holder| {
            let catalog = holder.get(&service, "/v1/reports/catalog").await.json();
            let datasets = catalog["datasets"].as_array().cloned().expect("datasets");
            datasets
                .iter()
                .map(|dataset| dataset["name"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&one).await, ["sessions"]);
        assert_eq!(names(&viewer).await.len(), names(&admin).await.len() + 1);

        // `secret` is for viewers, and `one` is a viewer of another dataset.
        let secret = json!({"dataset": "secret", "time_range": range(), "dimensions": ["status"]});
        for (holder, may) in [(&viewer, true), (&admin, false), (&one, false)] {
            let answer = holder.post(&service, QUERY, &secret).await;
            let export = holder
                .post(&service, EXPORT, &json!({"query": secret}))
                .await;
            if may {
                assert_eq!(
                    (answer.status, export.status),
                    (StatusCode::OK, StatusCode::ACCEPTED)
                );
            } else {
                assert_eq!(answer.problem(), (403, "forbidden".to_owned()));
                assert_eq!(export.problem(), (403, "forbidden".to_owned()));
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_cannot_be_looked_up_are_not_called_wrong() {
    let cluster = Setup::new().start();
    let database = url_of(&cluster.database());
    let service = Service::on_postgres(&database).await;
    let holder = Holder::of(&service, admin_key()).await;
    cluster.stop();
    let answer = holder.get(&service, "/v1/reports/catalog").await;
    assert_eq!(answer.problem(), (503, "database_unavailable".to_owned()));
    cluster.start_again();
    let began = Instant::now();
    while holder.get(&service, "/v1/reports/catalog").await.status != StatusCode::OK {
        assert!(began.elapsed() < DEADLINE, "it is not found again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_calls_too_often_is_told_when_to_come_back() {
    let service = Service::asking_for_keys_with(|limits| {
        limits.requests_per_second = NonZeroU32::MIN;
        limits.burst = NonZeroU32::MIN;
    })
    .await;
    let key = Holder::of(&service, admin_key()).await;
    let other = Holder::of(&service, admin_key()).await;
    for (method, path, operation) in operations(service.document()) {
        if !path.starts_with("/v1/") {
            continue;
        }
        for path in [path.to_owned(), format!("/api{path}")] {
            let answer = key.too_often(&service, method, &path).await;
            assert_eq!(answer.problem().1, "rate_limited");
            let problem = answer.json();
            let seconds = problem["retry_after_seconds"].as_u64().expect("seconds");
            assert!((1..=3).contains(&seconds), "{problem}");
            let action = &problem["allowed_actions"][0];
            assert_eq!(action["rel"], "retry-later");
            assert_eq!(action["operation_id"], operation["operationId"], "{path}");
        }
    }
    // Each key has its own rate, and what needs no key has none.
    let answer = other.get(&service, "/v1/reports/catalog").await;
    assert_eq!(answer.status, StatusCode::OK);
    for _ in 0..10 {
        assert_eq!(service.get("/livez").await.status, StatusCode::OK);
    }
    let began = Instant::now();
    while key.get(&service, "/v1/reports/catalog").await.status != StatusCode::OK {
        assert!(began.elapsed() < DEADLINE, "it may never call again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn without_keys_nobody_calls_too_often() {
    let service = Service::limited(|limits| limits.burst = NonZeroU32::MIN).await;
    for _ in 0..10 {
        let answer = service.get("/v1/reports/catalog").await;
        assert_eq!(answer.status, StatusCode::OK);
    }
}

/// Follows an export with a key until the stream ends by itself, which has told of no end of the export.
async fn until_the_stream_ends(mut events: Events) {
    while let Some(event) = events.next().await {
        let status = &event.data["status"];
        assert!(status != "completed" && status != "failed", "{event:?}");
    }
}

/// Waits until so many clients are held.
async fn held(service: &Service, clients: usize) {
    let began = Instant::now();
    while service.state.long_poll.places.in_use().0 < clients {
        assert!(began.elapsed() < DEADLINE, "fewer than {clients} are held");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A client that has been let in, waits, and is told nothing once its key has ended.
async fn hears_no_more_once(end: impl AsyncFn(&Service, &Holder)) {
    let service = Service::asking_for_keys().await;
    let holder = Holder::of(&service, viewer_key()).await;
    let id = holder.export(&service).await;
    let path = format!("/v1/exports/{id}");
    let lease = service.claim().await;
    let headers = [
        ("authorization", holder.authorization.as_str()),
        ("prefer", "wait=30"),
    ];
    let posted = json!({ "query": small_query() });
    let end = async {
        let events = service
            .follow_with(&format!("{path}/events"), &headers)
            .await;
        held(&service, 3).await;
        end(&service, &holder).await;
        until_the_stream_ends(events).await;
        // Both waits are over at once now, and a file is there.
        service.complete(&lease, Duration::from_secs(3_600)).await;
    };
    let (got, joined, ()) = tokio::join!(
        service.get_with(&path, &headers),
        async {
            let headers = [headers[0], ("prefer", "respond-async, wait=30")];
            service.post(EXPORT, &headers, &posted).await
        },
        end,
    );
    for answer in [got, joined] {
        assert_eq!(answer.problem(), (401, "unauthorized".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_ends_streams_and_gets_nothing_for_its_waiting() {
    hears_no_more_once(async |service, holder| {
        let revoked = service.keys.revoke(&holder.id).await;
        assert!(revoked.expect("the store"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_key_ends_streams_and_gets_nothing_for_its_waiting() {
    hears_no_more_once(async |service, holder| {
        let id = &holder.id;
        let sql = format!("UPDATE api_keys SET expires_at = 1 WHERE id = '{id}'");
        service.change_behind_its_back(&sql);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_no_longer_an_admins_follows_no_export_of_another() {
    let service = Service::asking_for_keys().await;
    let owner = Holder::of(&service, viewer_key()).await;
    let admin = Holder::of(&service, admin_key()).await;
    let path = format!("/v1/exports/{}", owner.export(&service).await);
    let own = format!("/v1/exports/{}", admin.export(&service).await);
    let lease = service.claim().await;
    let headers = [("authorization", admin.authorization.as_str())];
    let waiting = [headers[0], ("prefer", "wait=30")];
    let end = async {
        let others = service
            .follow_with(&format!("{path}/events"), &headers)
            .await;
        let mut its_own = service
            .follow_with(&format!("{own}/events"), &headers)
            .await;
        assert_eq!(
            its_own.next().await.expect("an event").data["status"],
            "queued"
        );
        held(&service, 3).await;
        let id = &admin.id;
        let sql = format!("UPDATE api_keys SET role = 'viewer' WHERE id = '{id}'");
        service.change_behind_its_back(&sql);
        until_the_stream_ends(others).await;
        service.complete(&lease, Duration::from_secs(3_600)).await;
        let lease = service.claim().await;
        service.complete(&lease, Duration::from_secs(3_600)).await;
        while let Some(event) = its_own.next().await {
            if event.data["status"] == "completed" {
                return;
            }
        }
        panic!("its own export is still its own");
    };
    let (held, ()) = tokio::join!(service.get_with(&path, &waiting), end);
    assert_eq!(held.problem(), (404, "export_not_found".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_long_in_coming_are_not_for_a_revoked_key() {
    let service = Service::asking_for_keys_with_patience().await;
    let holder = Holder::of(&service, viewer_key()).await;
    let path = format!("/v1/exports/{}/events", holder.export(&service).await);
    let headers = [("authorization", holder.authorization.as_str())];
    let mut slots = Vec::new();
    for _ in 0..2 {
        let org = OrgId::new("org_demo");
        let slot = service.state.inline.admission.slot(&org).await;
        slots.push(slot.expect("a free slot"));
    }
    let (small_query, small_export) = (small_query(), small_export());
    let revoke = async {
        let events = service.follow_with(&path, &headers).await;
        let revoked = service.keys.revoke(&holder.id).await;
        assert!(revoked.expect("the store"));
        until_the_stream_ends(events).await;
        drop(slots);
    };
    let (rows, file, ()) = tokio::join!(
        service.post(QUERY, &headers, &small_query),
        service.post(EXPORT, &headers, &small_export),
        revoke,
    );
    for answer in [rows, file] {
        assert_eq!(answer.problem(), (401, "unauthorized".to_owned()));
    }
}
