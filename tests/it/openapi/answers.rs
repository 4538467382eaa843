//! Answers are what the document says.

use serde_json::{Value, json};

use super::document::{document, mismatches, operation, resolve};
use crate::harness::answer::Answer;
use crate::harness::http::{EXPORT, JSON, QUERY, RESPOND_ASYNC};
use crate::harness::reports::{all_sessions, by_status, export_of};
use crate::harness::server::shared;
use crate::harness::slow::{SlowSource, rows_of};
use crate::harness::values::text;

#[tokio::test]
async fn answers_are_what_the_document_says() {
    let document = document().await;
    let server = shared();
    let http = server.http();
    let (export, _) = http.exported(&export_of(&by_status())).await;
    let id = text(&export["id"]);
    let one = format!("/v1/exports/{id}");
    let etag = http.get(&one).await.has_header("etag").to_owned();
    let source = SlowSource::new();
    let busy_server = source.launch().start();
    let busy = busy_server.http();
    let unwanted = text(&busy.submit(&export_of(&rows_of("endless"))).await["id"]);
    let csv = [("accept", "text/csv")];
    let png = [("accept", "image/png")];
    let body = export_of(&by_status());
    let get = |operation, answer: Answer| ("get", operation, answer);
    let post = |operation, answer: Answer| ("post", operation, answer);
    let answers = vec![
        get(
            "/v1/reports/catalog",
            http.get("/v1/reports/catalog").await.expect(200),
        ),
        post(QUERY, http.post(QUERY, &by_status()).await.expect(200)),
        post(QUERY, http.post(QUERY, &json!({})).await.expect(400)),
        post(QUERY, http.send("POST", QUERY, &[], "{}").await.expect(415)),
        post(EXPORT, http.post(EXPORT, &body).await.expect(200)),
        post(
            EXPORT,
            http.post_with(EXPORT, &csv, &body).await.expect(200),
        ),
        post(
            EXPORT,
            http.post_with(EXPORT, &[RESPOND_ASYNC], &body)
                .await
                .expect(202),
        ),
        post(
            EXPORT,
            http.post(EXPORT, &export_of(&all_sessions(Value::Null)))
                .await
                .expect(202),
        ),
        post(
            EXPORT,
            http.post(EXPORT, &json!({"query": {}, "x": 1}))
                .await
                .expect(400),
        ),
        post(
            EXPORT,
            http.send("POST", EXPORT, &[JSON], "{").await.expect(400),
        ),
        post(
            EXPORT,
            http.post_with(EXPORT, &png, &body).await.expect(406),
        ),
        get("/v1/exports", http.get("/v1/exports").await.expect(200)),
        get(
            "/v1/exports",
            http.get("/v1/exports?limit=0").await.expect(400),
        ),
        get("/v1/exports/{id}", http.get(&one).await.expect(200)),
        get(
            "/v1/exports/{id}",
            http.get_with(&one, &[("if-none-match", &etag)])
                .await
                .expect(304),
        ),
        get(
            "/v1/exports/{id}",
            http.get("/v1/exports/nope").await.expect(404),
        ),
        get(
            "/v1/exports/{id}/download",
            http.get(&format!("{one}/download")).await.expect(307),
        ),
        get(
            "/v1/exports/{id}/download",
            http.get("/v1/exports/nope/download").await.expect(404),
        ),
        get(
            "/v1/exports/{id}/events",
            http.get(&format!("{one}/events")).await.expect(200),
        ),
        get(
            "/v1/exports/{id}/events",
            http.get("/v1/exports/nope/events").await.expect(404),
        ),
        post(
            "/v1/exports/{id}/cancel",
            busy.cancel(&unwanted).await.expect(200),
        ),
        post(
            "/v1/exports/{id}/cancel",
            http.cancel(&id).await.expect(409),
        ),
        post(
            "/v1/exports/{id}/cancel",
            http.cancel("nope").await.expect(404),
        ),
        (
            "delete",
            "/v1/exports/{id}",
            busy.delete(&unwanted).await.expect(204),
        ),
        (
            "delete",
            "/v1/exports/{id}",
            busy.delete(&unwanted).await.expect(404),
        ),
        get("/livez", http.get("/livez").await.expect(200)),
        get("/readyz", http.get("/readyz").await.expect(200)),
    ];
    for (method, path, answer) in answers {
        let status = answer.status.to_string();
        let response = &operation(&document, method, path)["responses"][&status];
        assert!(
            response.is_object(),
            "{method} {path} {status} is not in the document"
        );
        let response = resolve(&document, response);
        let Some(described) = response["content"].as_object() else {
            assert!(
                answer.body.is_empty() || path.ends_with('z'),
                "an undescribed body: {answer:?}"
            );
            continue;
        };
        let content = described
            .iter()
            .find(|(name, _)| name.split(';').next() == Some(answer.media_type()));
        let Some((media_type, content)) = content else {
            panic!("the document has {:?} for {answer:?}", described.keys());
        };
        if media_type.contains("json") {
            let found = mismatches(&document, &content["schema"], &answer.json(), "");
            assert!(found.is_empty(), "{found:#?}\nin {answer:?}");
        }
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            let required = resolve(&document, header)["required"] == true;
            assert!(
                !required || answer.header(name).is_some(),
                "no {name} in {answer:?}"
            );
        }
    }
}
