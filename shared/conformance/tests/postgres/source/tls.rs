//! Connections over TLS, to a server with a certificate of our own making.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use waybill_conformance::source::{CATALOG, open, plan_of, sources};
use waybill_report::source::SourceError;
use waybill_test_services::postgres::{Cluster, Setup};

use super::{TABLE, source};

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("a certificate")
}

/// A cluster that takes connections over TLS alone, as `localhost`.
fn cluster(authority: &CertifiedIssuer<'static, KeyPair>) -> Cluster {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, authority).expect("a certificate");
    Setup::new()
        .setting("ssl", "on")
        .file("server.crt", certificate.pem())
        .file("server.key", key.serialize_pem())
        .host_rules("hostssl all all all trust")
        .start()
}

async fn answers(cluster: &Cluster, host: &str, parameters: &str) -> Result<(), SourceError> {
    source(url(cluster, host, parameters)).check().await
}

fn url(cluster: &Cluster, host: &str, parameters: &str) -> String {
    let port = cluster.address().port();
    format!("postgres://postgres@{host}:{port}/postgres?{parameters}")
}

fn verified(mode: &str, root: &Path) -> String {
    format!("sslmode={mode}&sslrootcert={}", root.display())
}

#[tokio::test]
async fn the_server_is_verified_as_far_as_asked() {
    let (ours, other) = (authority(), authority());
    let folder = TempDir::new().expect("a folder");
    let (root, wrong_root) = (
        folder.path().join("root.crt"),
        folder.path().join("wrong.crt"),
    );
    fs::write(&root, ours.pem()).expect("a file");
    fs::write(&wrong_root, other.pem()).expect("a file");
    let cluster = cluster(&ours);

    for (host, parameters) in [
        ("localhost", "sslmode=require".to_owned()),
        ("127.0.0.1", "sslmode=require".to_owned()),
        ("localhost", verified("verify-ca", &root)),
        ("127.0.0.1", verified("verify-ca", &root)),
        ("localhost", verified("verify-full", &root)),
    ] {
        let answer = answers(&cluster, host, &parameters).await;
        answer.unwrap_or_else(|error| panic!("{host} {parameters}: {error}"));
    }
    for (host, parameters) in [
        ("localhost", "sslmode=disable".to_owned()),
        ("localhost", verified("verify-full", &wrong_root)),
        ("localhost", verified("verify-ca", &wrong_root)),
        ("127.0.0.1", verified("verify-full", &root)),
        (
            "localhost",
            verified("verify-full", &folder.path().join("none.crt")),
        ),
        ("localhost", "sslmode=verify-full".to_owned()),
    ] {
        let error = answers(&cluster, host, &parameters).await;
        let error = error.expect_err(&parameters);
        assert!(
            matches!(error, SourceError::Unavailable(_)),
            "{parameters}: {error}"
        );
    }
}

#[tokio::test]
async fn a_report_over_tls_is_whole() {
    let cluster = cluster(&authority());
    cluster.psql("postgres", TABLE);
    cluster.psql(
        "postgres",
        "INSERT INTO things (org, at, i) SELECT 'a', '2026-01-05', n FROM generate_series(1, 100000) AS n",
    );
    let query = serde_json::json!({ "dataset": "things", "dimensions": ["i"] });
    let sources = sources(source(url(&cluster, "localhost", "sslmode=require")));
    let mut snapshot = open(&sources, &plan_of(CATALOG, "a", query))
        .await
        .expect("a snapshot");
    let mut rows = 0;
    while let Some(batch) = snapshot.next().await {
        rows += batch.expect("a batch").num_rows();
    }
    assert_eq!(rows, 100_000);
}
