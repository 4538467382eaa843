//! The bucket against a real S3 server, and against stores that misbehave.

mod wire;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use waybill_config::StorageSettings;
use waybill_telemetry::metrics::MetricRegistry;
use waybill_test_services::exposition::Exposition;
use waybill_test_services::proxy::{Proxy, Step};
use waybill_test_services::s3::{ACCESS_KEY_ID, BUCKET, S3, SECRET_ACCESS_KEY};

use super::*;
use crate::request_policy::{POLICY, RequestPolicy};

/// Gives up soon.
const HASTY: RequestPolicy = RequestPolicy {
    connect: Duration::from_millis(200),
    attempt: Duration::from_millis(300),
    joining: Duration::from_millis(300),
    attempts: 2,
    pause: Duration::from_millis(10),
};

/// Takes its time and gives up after few tries.
const TOLERANT: RequestPolicy = RequestPolicy {
    attempts: 2,
    pause: Duration::from_millis(10),
    ..POLICY
};

/// Far above what a request may take with [`HASTY`].
const DEADLINE: Duration = Duration::from_secs(60);

fn settings(endpoint: &str) -> StorageSettings {
    StorageSettings {
        endpoint: Some(endpoint.to_owned()),
        public_endpoint: None,
        region: "eu-central-1".to_owned(),
        bucket: None,
        prefix: "some/folder/".to_owned(),
        access_key_id: Some(ACCESS_KEY_ID.to_owned()),
        secret_access_key: Some(SECRET_ACCESS_KEY.to_owned().into()),
        path_style: true,
        request_checksums: true,
    }
}

async fn bucket() -> Bucket {
    Bucket::new(BUCKET, &settings(&S3::shared().endpoint())).await
}

/// Bytes that differ from place to place.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 7 % 251) as u8).collect()
}

/// Stores `bytes`, appended in pieces as batches are.
async fn store(bucket: &Bucket, key: &str, bytes: &[u8]) -> Result<Stored, BucketError> {
    let mut upload = bucket.start_upload(key, "text/csv", "it.csv").await?;
    for piece in bytes.chunks(777_777) {
        upload.buffer().extend_from_slice(piece);
        upload.write().await?;
    }
    upload.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_arrives_as_it_was_sent_whatever_its_size() {
    let bucket = bucket().await;
    for (number, length) in [0, 1, PART_BYTES - 1, PART_BYTES, 3 * PART_BYTES + 5]
        .into_iter()
        .enumerate()
    {
        let key = format!("sizes/{number}");
        let bytes = content(length);
        let stored = store(&bucket, &key, &bytes).await.expect("stored");
        assert_eq!(stored.size_bytes, length as u64);
        assert_eq!(stored.sha256, hex::encode(Sha256::digest(&bytes)));

        let object = bucket.client.get_object().bucket(BUCKET);
        let object = object.key(format!("some/folder/{key}")).send().await;
        let object = object.expect("it is below the prefix");
        assert_eq!(object.content_type(), Some("text/csv"));
        assert_eq!(
            object.content_disposition(),
            Some("attachment; filename=\"it.csv\"")
        );
        let body = object.body.collect().await.expect("the whole of it");
        assert!(body.into_bytes() == bytes, "{length} bytes differ");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn buffers_are_filled_again_and_few() {
    let bucket = bucket().await;
    let upload = bucket.start_upload("buffers", "text/csv", "it.csv").await;
    let mut upload = upload.expect("begun");
    let piece = content(1_000_000);
    let mut buffers = std::collections::BTreeSet::new();
    for _ in 0..80 {
        upload.buffer().extend_from_slice(&piece);
        buffers.insert(upload.buffer().as_ptr() as usize);
        assert!(upload.buffer().len() < PART_BYTES + piece.len());
        upload.write().await.expect("sent");
    }
    assert_eq!(upload.size_bytes(), 80_000_000);
    // One that is filled and those in flight; a buffer that moved or was lost would be another one.
    assert!(buffers.len() <= 3, "{} buffers", buffers.len());
    upload.abort().await.expect("aborted");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aborted_upload_leaves_nothing_and_may_be_aborted_again() {
    let bucket = bucket().await;
    let upload = bucket.start_upload("aborted", "text/csv", "it.csv").await;
    let mut upload = upload.expect("begun");
    upload.buffer().extend_from_slice(&content(PART_BYTES));
    upload.write().await.expect("sent");
    let id = upload.id().to_owned();
    upload.abort().await.expect("aborted");
    let again = bucket.abort_upload("aborted", &id).await;
    again.expect("what is gone is no error");
    bucket.delete("aborted").await.expect("nor is no object");
}

/// As after an answer that was lost: the client sends the request again, and S3 knows no such upload.
#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_succeeded_before_is_a_success() {
    let bucket = bucket().await;
    let bytes = content(10);
    let first = bucket.start_upload("joined", "text/csv", "it.csv").await;
    let mut first = first.expect("begun");
    let id = first.id().to_owned();
    first.buffer().extend_from_slice(&bytes);
    first.finish().await.expect("stored");

    let part = aws_sdk_s3::types::CompletedPart::builder().part_number(1);
    let parts = vec![part.e_tag("\"any\"").build()];
    let again =
        |size| Upload::joined_before(bucket.clone(), "joined", &id, size).join(parts.clone());
    again(10).await.expect("the object is there");
    let refused = again(11).await;
    assert!(refused.is_err(), "{refused:?}");
}

#[tokio::test]
async fn a_file_of_too_many_parts_is_too_large() {
    let bucket = bucket().await;
    let upload = bucket.start_upload("large", "text/csv", "it.csv").await;
    let mut upload = upload.expect("begun").after_parts(MAX_PARTS);
    upload.buffer().extend_from_slice(b"one more");
    let finished = upload.finish().await;
    assert!(
        matches!(finished, Err(BucketError::TooLarge)),
        "{finished:?}"
    );
}

/// Whatever is asked: a store that is set up otherwise would take the same request.
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_has_to_mend_is_told_apart_from_what_would_be_refused_for_ever() {
    let s3 = S3::start();
    let endpoint = s3.endpoint();
    let bucket = Bucket::new(BUCKET, &settings(&endpoint)).await;
    let unknown = StorageSettings {
        access_key_id: Some("nobody".to_owned()),
        ..settings(&endpoint)
    };
    let unknown = Bucket::new(BUCKET, &unknown).await;
    let begun = bucket.start_upload("begun", "text/csv", "it.csv").await;
    let mut begun = begun.expect("begun");
    let other = Bucket::new("nothing", &settings(&endpoint)).await;

    s3.rotate_secret("another");
    begun.buffer().extend_from_slice(b"x");
    let mends = |error: &BucketError| {
        matches!(
            error,
            BucketError::Misconfigured(_) | BucketError::Unavailable(_)
        )
    };
    let finished = begun.finish().await.expect_err("a wrong signature");
    assert!(mends(&finished), "{finished}");
    for (bucket, why) in [(&unknown, "no such key"), (&bucket, "a wrong signature")] {
        let checked = bucket.check().await.expect_err(why);
        assert!(mends(&checked), "{why}: {checked}");
        let stored = store(bucket, "it", b"x").await.expect_err(why);
        assert!(mends(&stored), "{why}: {stored}");
    }
    s3.rotate_secret(SECRET_ACCESS_KEY);
    store(&bucket, "it", b"x").await.expect("the key is good");

    s3.remove_bucket();
    for bucket in [&bucket, &other] {
        let checked = bucket.check().await.expect_err("no such bucket");
        assert!(mends(&checked), "{checked}");
        let stored = store(bucket, "it", b"x").await.expect_err("no bucket");
        assert!(mends(&stored), "{stored}");
    }
    s3.make_bucket();
    store(&bucket, "it", b"x").await.expect("there is a bucket");
}

/// The status of a GET.
fn got(url: &str) -> u16 {
    let address = url.strip_prefix("http://").expect("plain HTTP");
    let (host, path) = address.split_once('/').expect("a path");
    let mut connection = std::net::TcpStream::connect(host).expect("a connection");
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    status.unwrap_or_else(|| panic!("a status in {answer}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_links_are_signed_by_the_stores_clock() {
    const THREE_HOURS: i64 = 3 * 3_600;
    // The store below knows this machine's clock alone: by that a link must not be over.
    let valid_for = Duration::from_secs(4 * 3_600);
    for (seconds, told) in [
        (THREE_HOURS, Some("behind")),
        (-THREE_HOURS, Some("ahead of")),
        (120, None),
        (0, None),
    ] {
        let s3 = S3::start();
        s3.set_clock(seconds);
        let bucket = Bucket::new(BUCKET, &settings(&s3.endpoint())).await;
        bucket.check().await.expect("signed anew");
        store(&bucket, "it", b"x").await.expect("stored");
        let link = async || {
            let link = bucket.link("it", "text/csv", "it.csv", valid_for).await;
            link.expect("a link")
        };
        let before = bucket.now();
        let first = link().await;
        let (after, second) = (bucket.now(), Duration::from_secs(1));
        assert_eq!(got(&first.url), 200, "{seconds}");
        assert!(first.expires_at + second >= before + valid_for, "{seconds}");
        assert!(first.expires_at <= after + valid_for, "{seconds}");
        let found = bucket.clock_difference().map(|found| found.to_string());
        match told {
            Some(way) => assert!(found.expect("a difference").contains(way)),
            None => assert_eq!(found, None),
        }
        // The clock is set right, and any answer tells.
        s3.set_clock(0);
        bucket.check().await.expect("signed anew");
        assert_eq!(bucket.clock_difference(), None);
        assert_eq!(got(&link().await.url), 200, "{seconds}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_went_away_is_unavailable_until_it_is_back() {
    let s3 = S3::start();
    let bucket = Bucket::with_policy(BUCKET, &settings(&s3.endpoint()), HASTY).await;
    bucket.check().await.expect("it is there");
    s3.stop();
    let gone = bucket.check().await;
    assert!(matches!(gone, Err(BucketError::Unavailable(_))), "{gone:?}");
    s3.start_again();
    bucket.check().await.expect("it is back");
}

/// A store that takes every connection and treats it so; counts them.
fn odd_store(treat: fn(std::net::TcpStream)) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::SeqCst);
            thread::spawn(move || treat(connection));
        }
    });
    (format!("http://{address}"), connections)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_hangs_does_not_hang_its_client() {
    let (endpoint, connections) = odd_store(|mut connection| {
        // Reads whatever comes, and never answers.
        let mut nothing = [0; 1024];
        while connection.read(&mut nothing).is_ok_and(|read| read > 0) {}
    });
    let bucket = Bucket::with_policy(BUCKET, &settings(&endpoint), HASTY).await;
    let checked = tokio::time::timeout(DEADLINE, bucket.check()).await;
    let checked = checked.expect("an end");
    assert!(
        matches!(checked, Err(BucketError::Unavailable(_))),
        "{checked:?}"
    );
    assert_eq!(connections.load(Ordering::SeqCst), 2, "attempts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_is_asked_again_and_then_unavailable() {
    let (endpoint, connections) = odd_store(|mut connection| {
        let mut request = [0; 8192];
        drop(connection.read(&mut request));
        let body = "<Error><Code>SlowDown</Code><Message>later</Message></Error>";
        let answer = format!(
            "HTTP/1.1 503 Slow Down\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        drop(connection.write_all(answer.as_bytes()));
    });
    let bucket = Bucket::with_policy(BUCKET, &settings(&endpoint), HASTY).await;
    let begun = bucket.start_upload("it", "text/csv", "it.csv").await;
    let error = begun.expect_err("a failure");
    assert!(
        matches!(&error, BucketError::Unavailable(why) if why.contains("SlowDown")),
        "{error}"
    );
    assert_eq!(connections.load(Ordering::SeqCst), 2, "attempts");
}

/// A store that takes parts, and one that begins uploads and takes none.
#[tokio::test(flavor = "multi_thread")]
async fn parts_are_counted_with_what_they_cost() {
    let metrics = MetricRegistry::new("test");
    let s3 = S3::shared();
    let proxy = Proxy::before_s3(s3.address());
    let endpoint = format!("http://{}", proxy.address());
    let bucket = Bucket::with_policy(BUCKET, &settings(&endpoint), TOLERANT).await;
    let bucket = bucket.counted_by(StoreMetrics::registered(&metrics));
    let bytes = content(PART_BYTES + 5);
    store(&bucket, "counted", &bytes).await.expect("stored");
    let refusal = proxy.answer(Step::AnyPart, 503, None);
    let refused = store(&bucket, "counted", b"x").await;
    assert!(
        matches!(refused, Err(BucketError::Unavailable(_))),
        "{refused:?}"
    );
    drop(refusal);
    let read = Exposition::read(&metrics.exposition().expect("a text"));
    let stored = "waybill_store_uploaded_bytes_total";
    assert_eq!(read.value(stored, &[]), bytes.len() as f64);
    assert_eq!(
        read.value("waybill_store_part_upload_seconds_count", &[]),
        2.0
    );
    assert_eq!(read.value("waybill_store_part_retries_total", &[]), 1.0);
    assert_eq!(read.value("waybill_store_part_failures_total", &[]), 1.0);
}

#[tokio::test]
async fn a_link_names_the_public_host_and_no_other() {
    let valid_for = Duration::from_secs(60);
    let link = async |settings: &StorageSettings| {
        let bucket = Bucket::new(BUCKET, settings).await;
        let link = bucket.link("exports/x/1/csv", "text/csv", "it.csv", valid_for);
        link.await.expect("a link").url
    };
    let mut settings = settings("http://store.internal:9000");
    let url = link(&settings).await;
    assert!(
        url.starts_with("http://store.internal:9000/waybill/some/folder/exports/x/1/csv?"),
        "{url}"
    );
    settings.public_endpoint = Some("https://files.example.com".to_owned());
    settings.path_style = false;
    let url = link(&settings).await;
    assert!(
        url.starts_with("https://waybill.files.example.com/some/folder/exports/x/1/csv?"),
        "{url}"
    );
    assert!(url.contains("%2Feu-central-1%2Fs3%2Faws4_request"), "{url}");
    settings.endpoint = None;
    settings.public_endpoint = None;
    let url = link(&settings).await;
    assert!(
        url.starts_with("https://waybill.s3.eu-central-1.amazonaws.com/some/folder/"),
        "{url}"
    );
}
