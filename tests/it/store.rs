//! The embedded store, as S3 would be: what of a file a download has, who may ask, and for how long a
//! connection may do nothing.

use std::io::Read as _;
use std::time::Duration;

use serde_json::Value;

use crate::harness::connection::{begun, rest_of, status_of};
use crate::harness::eventually;
use crate::harness::launch::Launch;
use crate::harness::reports::{all_sessions, by_status, export_of};
use crate::harness::server::shared;
use crate::harness::values::text;

#[tokio::test]
async fn a_range_is_what_s3_makes_of_it() {
    let server = shared();
    let http = server.http();
    let (export, file) = http.exported(&export_of(&by_status())).await;
    let link = text(&export["download"]["url"]);
    let size = file.len();
    for (range, from, to) in [
        ("bytes=0-4", 0, 5),
        ("bytes=-4", size - 4, size),
        ("bytes=3-", 3, size),
        ("bytes=3-99999999999999999999", 3, size),
        ("bytes=-99999999999", 0, size),
        ("bytes=-18446744073709551615", 0, size),
    ] {
        let answer = http.get_with(&link, &[("range", range)]).await.expect(206);
        assert_eq!(answer.body, file[from..to], "{range}");
        let content_range = format!("bytes {from}-{}/{size}", to - 1);
        assert_eq!(answer.has_header("content-range"), content_range, "{range}");
    }
    for range in ["bytes=0-1,4-5", "bytes=5-1", "bytes=x", "rows=0-5", "bytes"] {
        let answer = http.get_with(&link, &[("range", range)]).await.expect(200);
        assert_eq!(answer.body, file, "{range} is ignored");
    }
    for range in ["bytes=-0", "bytes=99999999999999999999-"] {
        let answer = http.get_with(&link, &[("range", range)]).await.expect(416);
        assert!(answer.text().contains("<Code>InvalidRange</Code>"));
        assert_eq!(
            answer.has_header("content-range"),
            format!("bytes */{size}")
        );
    }
}

#[tokio::test]
async fn a_download_goes_on_only_with_the_same_file() {
    let server = shared();
    let http = server.http();
    let (export, file) = http.exported(&export_of(&by_status())).await;
    let link = text(&export["download"]["url"]);
    let whole = http.get(&link).await.expect(200);
    let tag = whole.has_header("etag").to_owned();
    let changed = whole.has_header("last-modified").to_owned();
    for (condition, same) in [
        (tag.as_str(), true),
        (changed.as_str(), true),
        ("\"another\"", false),
        (&format!("W/{tag}"), false),
        ("Thu, 01 Jan 1970 00:00:00 GMT", false),
        ("nonsense", false),
    ] {
        let headers = [("range", "bytes=2-"), ("if-range", condition)];
        let answer = http.get_with(&link, &headers).await;
        let (status, bytes) = if same {
            (206, &file[2..])
        } else {
            (200, &file[..])
        };
        assert_eq!(answer.status, status, "{condition}");
        assert_eq!(answer.body, bytes, "{condition}");
    }
}

#[tokio::test]
async fn a_link_takes_no_other_credentials() {
    let server = shared();
    let http = server.http();
    let (export, _) = http.exported(&export_of(&by_status())).await;
    let link = text(&export["download"]["url"]);
    for credentials in ["Bearer waybill_x", "Basic dXNlcjpwYXNz"] {
        let headers = [("authorization", credentials)];
        let answer = http.get_with(&link, &headers).await.expect(400);
        let body = answer.text();
        assert!(body.contains("<Code>InvalidArgument</Code>"), "{body}");
        assert!(body.contains("Only one auth mechanism allowed"), "{body}");
    }
    let bare = format!("{}/waybill", server.s3());
    let answer = http.get(&bare).await.expect(403);
    assert!(answer.text().contains("<Code>AccessDenied</Code>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_do_nothing_end_and_hold_up_nobody() {
    const CONNECTIONS: usize = 8;
    let server = Launch::new()
        .env("LIMITS__READ_TIMEOUT_SECONDS", 1)
        .env("LIMITS__IDLE_TIMEOUT_SECONDS", 1)
        .env("LIMITS__MAX_CONNECTIONS", CONNECTIONS)
        .start();
    let http = server.http();
    let (export, file) = http.exported(&export_of(&by_status())).await;
    let link = text(&export["download"]["url"]);
    let s3 = server.s3().to_owned();
    let silent: Vec<_> = (0..CONNECTIONS).map(|_| begun(&s3, "")).collect();
    let dripping = begun(&s3, "GET /waybill HTTP/1.1\r\nHost");
    // The API has places of its own.
    http.get("/livez").await.expect(200);
    // Those of the store come free.
    assert_eq!(http.get(&link).await.expect(200).body, file);
    tokio::task::spawn_blocking(move || {
        for connection in silent {
            assert_eq!(rest_of(connection), "");
        }
        assert_eq!(rest_of(dripping), "");
    })
    .await
    .expect("no panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_is_not_taken_is_cut_off() {
    let server = Launch::new()
        .demo_rows(120_000)
        .env("LIMITS__IDLE_TIMEOUT_SECONDS", 1)
        .env("LOG__FILTER", "info,waybill_api=debug")
        .start();
    let http = server.http();
    let (export, file) = http.exported(&export_of(&all_sessions(Value::Null))).await;
    let link = text(&export["download"]["url"]);
    let target = link.strip_prefix(server.s3()).expect("a link to the store");
    let host = server.s3().trim_start_matches("http://");
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut slow = begun(server.s3(), &request);
    let mut first = [0; 12];
    slow.read_exact(&mut first).expect("the file begins");
    assert_eq!(&first, b"HTTP/1.1 200");
    eventually("the connection is cut off", async || {
        server.logged().contains("was cut off").then_some(())
    })
    .await;
    let rest = tokio::task::spawn_blocking(move || rest_of(slow));
    let rest = rest.await.expect("no panic");
    assert!(rest.len() < file.len(), "it was given all of the file");
    // One that is taken, however slowly, is not.
    let taken = tokio::task::spawn_blocking({
        let s3 = server.s3().to_owned();
        move || {
            let mut connection = begun(&s3, &request);
            let (mut taken, mut buffer) = (0, vec![0; 4 << 20]);
            loop {
                std::thread::sleep(Duration::from_millis(300));
                match connection.read(&mut buffer).expect("the file goes on") {
                    0 => return taken,
                    read => taken += read,
                }
                if taken > file.len() {
                    return taken;
                }
            }
        }
    });
    assert!(taken.await.expect("no panic") > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_nobody_signed_reads_no_body() {
    let server = shared();
    let s3 = server.s3().to_owned();
    let answered = tokio::task::spawn_blocking(move || {
        for head in [
            "Content-Type: multipart/form-data; boundary=b",
            "Authorization: AWS4-HMAC-SHA256 Credential=K/20260228/r/sts/aws4_request, SignedHeaders=host, Signature=0",
            "Authorization: Bearer x",
        ] {
            let request = format!(
                "POST /waybill HTTP/1.1\r\nHost: localhost\r\n{head}\r\nContent-Length: 8000\r\n\r\n--b"
            );
            let status = status_of(begun(&s3, request)).expect("an answer");
            assert!((400..500).contains(&status), "{head}: {status}");
        }
    });
    answered.await.expect("no panic");
}

#[tokio::test]
async fn what_uploads_left_that_nobody_knows_is_swept_at_the_start() {
    const UPLOAD: &str = "7a0c1f3e-56a1-4d6e-9d6e-0123456789ab";
    let mut server = Launch::new().start();
    let http = server.http();
    let (before, file) = http.exported(&export_of(&by_status())).await;
    let left = server
        .data_dir()
        .join("s3")
        .join(format!(".upload_id-{UPLOAD}.part-1"));
    server.terminate();
    std::fs::write(&left, "a part").expect("a file is written");
    server.start_again();
    assert!(!left.exists(), "it is swept");
    let http = server.http();
    let again = http.export(&text(&before["id"])).await;
    assert_eq!(http.file_of(&again).await, file);
}
