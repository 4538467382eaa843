//! Which representation a client gets: the envelope, the bare file, or 406; and which bodies are read.

use serde_json::{Value, json};

use crate::harness::http::{EXPORT, JSON, QUERY};
use crate::harness::reports::{all_sessions, by_status, export_of};
use crate::harness::server::shared;

#[tokio::test]
async fn the_bare_file_is_sent_where_csv_is_preferred() {
    let server = shared();
    let http = server.http();
    let body = export_of(&by_status());
    let content = http.post(EXPORT, &body).await.content();
    for accept in [
        "text/csv",
        "TEXT/CSV",
        "text/csv, application/json;q=0.9",
        "application/json;q=0.5, text/csv",
        "text/csv; charset=utf-8",
        "text/*",
        "*/*;q=0.1, text/csv;q=0.2",
    ] {
        let answer = http
            .post_with(EXPORT, &[("accept", accept)], &body)
            .await
            .expect(200);
        assert_eq!(
            answer.has_header("content-type"),
            "text/csv; charset=utf-8",
            "{accept}"
        );
        let disposition = answer.has_header("content-disposition");
        assert!(
            disposition.starts_with("attachment"),
            "{accept}: {disposition}"
        );
        assert!(
            disposition.contains("sessions-20260424-20260524.csv"),
            "{accept}: {disposition}"
        );
        assert_eq!(answer.text(), content, "{accept}");
    }
    let report = http.post(EXPORT, &body).await.report_export();
    let answer = http.post_with(EXPORT, &[("accept", "text/csv")], &body);
    let answer = answer.await;
    for (name, value) in [
        (
            "content-disposition",
            "attachment; filename=\"sessions-20260424-20260524.csv\"",
        ),
        ("waybill-row-count", &report["row_count"].to_string()),
        ("waybill-limit-reached", "false"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.has_header(name), value, "{name}");
    }
    assert!(answer.has_header("waybill-as-of").ends_with('Z'));
}

#[tokio::test]
async fn the_envelope_is_sent_otherwise() {
    let server = shared();
    let http = server.http();
    let body = export_of(&by_status());
    let content = http.post(EXPORT, &body).await.content();
    for accept in [
        "*/*",
        "application/json",
        "application/*",
        "application/json, text/csv;q=0.9",
        "text/csv;q=0.5, application/json;q=0.8",
        "text/csv;q=0, */*",
        "image/png, */*;q=0.1",
    ] {
        let answer = http.post_with(EXPORT, &[("accept", accept)], &body).await;
        assert_eq!(answer.has_header("vary"), "accept");
        assert_eq!(answer.has_header("cache-control"), "private, no-store");
        assert_eq!(answer.header("preference-applied"), None);
        assert_eq!(answer.content(), content, "{accept}");
    }
}

#[tokio::test]
async fn what_cannot_be_represented_is_not_acceptable() {
    let server = shared();
    let http = server.http();
    for accept in [
        "image/png",
        "text/html",
        "application/json;q=0, text/csv;q=0",
        "*/*;q=0",
    ] {
        let answer = http
            .post_with(EXPORT, &[("accept", accept)], &export_of(&by_status()))
            .await;
        assert_eq!(answer.status, 406, "{accept}: {answer:?}");
        answer.problem(406, "not_acceptable");
    }
    // A result that is JSON cannot be had as CSV.
    let as_json = json!({"query": by_status(), "format": "json"});
    let answer = http
        .post_with(EXPORT, &[("accept", "text/csv")], &as_json)
        .await;
    answer.problem(406, "not_acceptable");
    let answer = http
        .post_with(QUERY, &[("accept", "text/csv")], &by_status())
        .await;
    answer.problem(406, "not_acceptable");
}

#[tokio::test]
async fn a_job_is_json_whatever_its_file_will_be() {
    let server = shared();
    let body = export_of(&all_sessions(Value::Null));
    server
        .http()
        .post_with(EXPORT, &[("accept", "text/csv")], &body)
        .await
        .accepted();
}

/// At once in an envelope, at once as it is, and stored.
#[tokio::test]
async fn lines_of_json_are_the_rows_of_the_document() {
    let server = shared();
    let http = server.http();
    let mut query = by_status();
    query["order_by"] = json!([{"dimension": "status"}]);
    let document = json!({"query": query, "format": "json"});
    let document = http.post(EXPORT, &document).await.content();
    let body = json!({"query": query, "format": "ndjson"});
    let envelope = http.post(EXPORT, &body).await;
    let lines = envelope.content();
    assert!(
        lines.lines().count() > 1 && lines.ends_with('\n'),
        "{lines}"
    );
    let rows: Vec<&str> = lines.lines().collect();
    assert!(document.contains(&rows.join(",")), "{lines} in {document}");

    let accept = [("accept", "application/x-ndjson, application/json;q=0.9")];
    let bare = http.post_with(EXPORT, &accept, &body).await.expect(200);
    assert_eq!(bare.has_header("content-type"), "application/x-ndjson");
    let disposition = bare.has_header("content-disposition");
    assert!(disposition.contains("-20260524.ndjson"), "{disposition}");
    assert_eq!(bare.text(), lines);

    let (export, file) = http.exported(&body).await;
    assert_eq!(export["content_type"], "application/x-ndjson");
    assert_eq!(String::from_utf8(file).as_deref(), Ok(lines.as_str()));
}

#[tokio::test]
async fn only_json_bodies_are_read() {
    let server = shared();
    let http = server.http();
    for path in [EXPORT, QUERY] {
        let body = match path {
            QUERY => by_status(),
            _ => export_of(&by_status()),
        }
        .to_string();
        for content_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/xml",
            "text/json",
            "nonsense",
            "",
        ] {
            let headers = [("content-type", content_type)];
            let answer = http.send("POST", path, &headers, body.clone()).await;
            assert_eq!(answer.status, 415, "{content_type}: {answer:?}");
            answer.problem(415, "unsupported_media_type");
        }
        let compressed = [JSON, ("content-encoding", "gzip")];
        for headers in [&compressed[..], &[]] {
            let answer = http.send("POST", path, headers, body.clone()).await;
            answer.problem(415, "unsupported_media_type");
        }
        for content_type in [
            "application/json",
            "application/json; charset=utf-8",
            "APPLICATION/JSON",
            "application/json;charset=UTF-8",
            "application/vnd.waybill+json",
        ] {
            let headers = [("content-type", content_type)];
            http.send("POST", path, &headers, body.clone())
                .await
                .expect(200);
        }
    }
}
