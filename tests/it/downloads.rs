//! The file behind a presigned link: as plain S3 serves it, in parts, under its name, and to nobody
//! without a valid signature.

use std::fs;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::harness::eventually;
use crate::harness::launch::Launch;
use crate::harness::reports::{all_sessions, by_status, export_of};
use crate::harness::server::shared;
use crate::harness::values::{sha256, text};

#[tokio::test]
async fn a_link_serves_the_file_under_its_name_without_any_header() {
    let server = shared();
    let http = server.http();
    let (export, file) = http.exported(&export_of(&by_status())).await;
    let link = text(&export["download"]["url"]);
    assert!(
        link.starts_with(server.s3()),
        "{link} is served by {}",
        server.s3()
    );
    let answer = http.get(&link).await.expect(200);
    assert_eq!(answer.body, file);
    assert_eq!(answer.media_type(), "text/csv");
    let disposition = answer.has_header("content-disposition");
    assert!(disposition.starts_with("attachment"), "{disposition}");
    assert!(
        disposition.contains("sessions-20260424-20260524.csv"),
        "{disposition}"
    );
}

#[tokio::test]
async fn a_head_says_what_the_file_is_and_gives_no_link_away() {
    let server = shared();
    let http = server.http();
    let (export, file) = http.exported(&export_of(&by_status())).await;
    for prefix in ["", "/api"] {
        let target = format!("{prefix}/v1/exports/{}/download", text(&export["id"]));
        let answer = http.send("HEAD", &target, &[], "").await.expect(200);
        assert!(answer.body.is_empty());
        assert!(answer.header("location").is_none(), "{answer:?}");
        for (name, value) in [
            ("content-length", file.len().to_string()),
            ("content-type", "text/csv; charset=utf-8".to_owned()),
            (
                "content-disposition",
                format!("attachment; filename=\"{}\"", text(&export["filename"])),
            ),
            ("accept-ranges", "bytes".to_owned()),
            (
                "repr-digest",
                format!("sha-256=:{}:", base64_of_sha256(&file)),
            ),
            ("etag", format!("\"{}\"", sha256(&file))),
        ] {
            assert_eq!(answer.has_header(name), value, "{name}");
        }
        // What it says is so.
        let redirect = http.get(&target).await.expect(307);
        let followed = http.get(redirect.has_header("location")).await.expect(200);
        for name in ["content-length", "content-type", "content-disposition"] {
            assert_eq!(answer.has_header(name), followed.has_header(name));
        }
    }
    let unknown = "/v1/exports/export_01930000000070008000000000000000/download";
    let answer = http.send("HEAD", unknown, &[], "").await.expect(404);
    assert_eq!(answer.media_type(), "application/problem+json");
}

/// RFC 4648, section 4.
fn base64_of_sha256(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:08b}"))
        .collect();
    let digit = |six: &[u8]| {
        let six = std::str::from_utf8(six).expect("ASCII");
        let digit = usize::from_str_radix(&format!("{six:0<6}"), 2).expect("six bits");
        char::from(DIGITS[digit])
    };
    let mut text: String = bits.as_bytes().chunks(6).map(digit).collect();
    text.push('=');
    text
}

#[tokio::test]
async fn a_link_honours_range() {
    let server = shared();
    let http = server.http();
    let (export, file) = http.exported(&export_of(&all_sessions(Value::Null))).await;
    let link = text(&export["download"]["url"]);
    let size = file.len();
    let cut = size / 3;
    for (range, from, to) in [
        (format!("bytes=0-{}", cut - 1), 0, cut),
        (format!("bytes={cut}-"), cut, size),
        (format!("bytes=-{cut}"), size - cut, size),
        ("bytes=5-5".to_owned(), 5, 6),
    ] {
        let answer = http.get_with(&link, &[("range", &range)]).await.expect(206);
        assert!(answer.body == file[from..to], "{range}: the bytes");
        let content_range = answer.has_header("content-range");
        assert_eq!(
            content_range,
            format!("bytes {from}-{}/{size}", to - 1),
            "{range}"
        );
    }
    let beyond = format!("bytes={size}-");
    http.get_with(&link, &[("range", &beyond)])
        .await
        .expect(416);
}

#[tokio::test]
async fn a_link_that_was_tampered_with_is_refused() {
    let server = shared();
    let http = server.http();
    let (export, _) = http.exported(&export_of(&by_status())).await;
    let (other, _) = http.exported(&export_of(&by_status())).await;
    let link = text(&export["download"]["url"]);
    let (path, query) = link.split_once('?').expect("a signed link has a query");
    assert!(query.contains("X-Amz-Signature="), "SigV4 in {link}");

    let (before, signature) = link.split_once("X-Amz-Signature=").expect("a signature");
    let turned = if signature.starts_with('0') { "1" } else { "0" };
    let wrong_signature = format!("{before}X-Amz-Signature={turned}{}", &signature[1..]);
    let longer = link.replacen("X-Amz-Expires=", "X-Amz-Expires=9", 1);
    let other_link = text(&other["download"]["url"]);
    let (other_path, _) = other_link.split_once('?').expect("a query");
    let other_object = format!("{other_path}?{query}");
    for changed in [wrong_signature, longer, other_object, path.to_owned()] {
        assert_ne!(changed, link);
        let answer = http.get(&changed).await;
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(
            !answer.body.starts_with(b"status,"),
            "no content in {answer:?}"
        );
    }
    // A signature to read is none to write or delete.
    for method in ["PUT", "DELETE"] {
        let answer = http.send(method, &link, &[], "").await;
        assert_eq!(answer.status, 403, "{answer:?}");
    }
    http.get(&link).await.expect(200);
}

#[tokio::test]
async fn a_link_dies_at_its_expiry_and_a_new_one_is_to_be_had() {
    let server = Launch::new().env("EXPORTS__LINK_SECONDS", 3).start();
    let http = server.http();
    let (export, file) = http.exported(&export_of(&by_status())).await;
    let id = text(&export["id"]);
    let path = format!("/v1/exports/{id}/download");
    let answer = http.get(&path).await.expect(307);
    let old = answer.has_header("location").to_owned();
    eventually("the link has died", async || {
        (http.get(&old).await.status == 403).then_some(())
    })
    .await;
    let answer = http.get(&path).await.expect(307);
    let new = answer.has_header("location").to_owned();
    assert_ne!(old, new);
    assert_eq!(http.get(&new).await.expect(200).body, file);
}

#[tokio::test]
async fn the_download_route_redirects_to_a_fresh_link() {
    let server = shared();
    let http = server.http();
    let (export, file) = http.exported(&export_of(&by_status())).await;
    let id = text(&export["id"]);
    for prefix in ["", "/api"] {
        let answer = http
            .get(&format!("{prefix}/v1/exports/{id}/download"))
            .await
            .expect(307);
        let cache = answer.has_header("cache-control");
        assert!(cache.contains("no-store"), "{cache}");
        let link = answer.has_header("location");
        assert!(link.contains("X-Amz-Signature="), "{link}");
        assert!(link.contains("X-Amz-Expires=900"), "{link}");
        assert!(link.contains("response-content-disposition"), "{link}");
        assert_eq!(http.get(link).await.expect(200).body, file);
    }
}

#[tokio::test]
async fn the_urls_of_an_export_can_be_followed() {
    let server = shared();
    let http = server.http();
    let (export, file) = http.exported(&export_of(&by_status())).await;
    let itself = http.get(&text(&export["self_url"])).await.export();
    assert_eq!(itself["id"], export["id"]);
    for action in export["allowed_actions"].as_array().expect("actions") {
        let target = text(&action["href"]);
        match action["rel"].as_str() {
            Some("self") => {
                assert_eq!(action["method"], "GET");
                assert_eq!(http.get(&target).await.export()["id"], export["id"]);
            }
            Some("download") => {
                let answer = http.get(&target).await.expect(307);
                assert_eq!(http.get(answer.has_header("location")).await.body, file);
            }
            _ => {}
        }
    }
    // Behind a prefix the links keep it, so that the same client can follow them.
    let body = export_of(&by_status());
    let prefer = [("prefer", "respond-async")];
    let answer = http
        .post_with("/api/v1/reports/query/export", &prefer, &body)
        .await;
    let location = answer.has_header("location").to_owned();
    let accepted = answer.accepted();
    assert_eq!(accepted["self_url"], location);
    let prefixed = format!("{}/api/v1/exports/export_", server.api());
    assert!(location.starts_with(&prefixed), "{location}");
    assert_eq!(http.get(&location).await.export()["self_url"], location);
}

#[tokio::test]
async fn a_file_of_many_parts_is_exported_in_bounded_memory() {
    const ROWS: usize = 2_400;
    const TEXT_BYTES: usize = 64 * 1024;
    const MOST_MEMORY: u64 = 128 * 1024 * 1024;

    let folder = tempfile::TempDir::new().expect("a folder for the test");
    let database = folder.path().join("large.db");
    rusqlite::Connection::open(&database)
        .and_then(|connection| {
            connection.execute_batch(&format!(
                "PRAGMA journal_mode = OFF;
                 CREATE TABLE pages (id INTEGER PRIMARY KEY, org_id TEXT, at TEXT, body TEXT);
                 WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < {ROWS})
                 INSERT INTO pages
                 SELECT id, 'org_demo', '2026-05-01T00:00:00Z',
                        printf('%06d', id) || hex(zeroblob({TEXT_BYTES} / 2 - 3)) FROM n;"
            ))
        })
        .expect("SQLite writes the rows");
    let catalog = r#"
[datasets.pages]
table = "pages"
grain = "row"
tenant = "org_id"
time = "at"

[datasets.pages.dimensions]
id = { sql = "id", type = "integer" }
body = { sql = "body", type = "string" }
"#;
    let described = folder.path().join("catalog.toml");
    fs::write(&described, catalog).expect("the catalog is written");
    let server = Launch::new().own_data(&database, &described).start();
    let http = server.http();
    let query = json!({
        "dataset": "pages",
        "time_range": {"from": "2026-05-01T00:00:00Z", "to": "2026-05-02T00:00:00Z"},
        "dimensions": ["id", "body"],
        "order_by": [{"dimension": "id"}],
        "limit": null,
    });
    let (export, file) = http.exported(&export_of(&query)).await;
    let zeros = "0".repeat(TEXT_BYTES - 6);
    let rows: String = (1..=ROWS)
        .map(|id| format!("{id},{id:06}{zeros}\n"))
        .collect();
    let expected = format!("id,body\n{rows}");
    assert!(
        expected.len() as u64 > MOST_MEMORY,
        "a file that does not fit into the bound"
    );
    assert_eq!(export["row_count"], ROWS);
    assert_eq!(file.len(), expected.len());
    assert_eq!(sha256(&file), sha256(expected.as_bytes()));
    let peak = server.peak_memory_bytes();
    assert!(peak < MOST_MEMORY, "peak memory of {peak} bytes");
    // A download that broke off is taken up across the borders of parts.
    let from = file.len() - 20_000_000;
    let range = format!("bytes={from}-");
    let link = text(&export["download"]["url"]);
    let rest = http
        .get_with(&link, &[("range", &range)])
        .await
        .expect(206)
        .body;
    assert!(rest == file[from..]);
}
