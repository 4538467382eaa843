//! What goes over the wire to a store: by plain HTTP, and by TLS with a certificate of our own making.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::*;

/// The variable that names the endpoint to the process that connects over TLS.
const ENDPOINT: &str = "WAYBILL_TEST_ENDPOINT";

type Sent = Arc<Mutex<Vec<u8>>>;

/// A way to the shared store that notes what clients send; over TLS, if it has a certificate.
#[expect(clippy::disallowed_methods, reason = "a test's own clock and tasks")]
async fn relay(tls: Option<TlsAcceptor>) -> (SocketAddr, Sent) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let sent = Sent::default();
    let noted = Arc::clone(&sent);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (tls, noted) = (tls.clone(), Arc::clone(&noted));
            tokio::spawn(async move {
                match tls {
                    None => pass(client, noted).await,
                    // A client that does not trust us ends the handshake.
                    Some(tls) => {
                        if let Ok(client) = tls.accept(client).await {
                            pass(client, noted).await;
                        }
                    }
                }
            });
        }
    });
    (address, sent)
}

async fn pass(client: impl AsyncRead + AsyncWrite, sent: Sent) {
    let address = S3::shared().endpoint().replace("http://", "");
    let store = TcpStream::connect(address).await.expect("the store");
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_store, mut to_store) = store.into_split();
    let there = async {
        let mut bytes = [0; 8192];
        while let Ok(read @ 1..) = from_client.read(&mut bytes).await {
            sent.lock().extend_from_slice(&bytes[..read]);
            if to_store.write_all(&bytes[..read]).await.is_err() {
                break;
            }
        }
    };
    let back = tokio::io::copy(&mut from_store, &mut to_client);
    tokio::select! {
        () = there => {}
        _ = back => {}
    }
}

/// The head of the request that carried a part.
fn head_of_part(sent: &Sent) -> String {
    let sent = sent.lock();
    let text = String::from_utf8_lossy(&sent);
    let at = text.find("partNumber=1").expect("a part was sent");
    let head = text[at..].split("\r\n\r\n").next().unwrap_or_default();
    head.to_lowercase()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_is_signed_over_plain_http() {
    let (address, sent) = relay(None).await;
    let bucket = Bucket::new(BUCKET, &settings(&format!("http://{address}"))).await;
    let stored = store(&bucket, "plain", b"some bytes")
        .await
        .expect("stored");
    let head = head_of_part(&sent);
    let signed = format!("x-amz-content-sha256: {}", stored.sha256);
    assert!(head.contains(&signed), "{head}");
    assert!(head.contains("x-amz-checksum-crc32: "), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_over_tls_is_verified_and_spared_a_signature_of_the_payload() {
    let (ours, other) = (authority(), authority());
    let (address, sent) = relay(Some(acceptor(&ours))).await;
    let folder = TempDir::new().expect("a folder");
    let with_authority = async |authority: &CertifiedIssuer<'static, KeyPair>| {
        let file = folder.path().join("authority.pem");
        fs::write(&file, authority.pem()).expect("a file");
        let child = connecting(&file, address.port());
        tokio::task::spawn_blocking(child).await.expect("no panic")
    };
    let refused = with_authority(&other).await;
    // Of an unknown issuer, or with a signature that is not the issuer's of that name.
    assert!(refused.contains("invalid peer certificate"), "{refused}");
    assert!(sent.lock().is_empty());
    let stored = with_authority(&ours).await;
    assert!(stored.contains("stored 10 bytes"), "{stored}");
    let head = head_of_part(&sent);
    assert!(
        head.contains("x-amz-content-sha256: unsigned-payload"),
        "{head}"
    );
    assert!(head.contains("x-amz-checksum-crc32: "), "{head}");
}

/// Runs the test below in a process of its own, which alone can have another environment.
fn connecting(authority: &Path, port: u16) -> impl FnOnce() -> String + use<> {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args(["--exact", "--ignored", "--nocapture"])
        .arg("tests::wire::stores_over_tls")
        .env(ENDPOINT, format!("https://localhost:{port}"))
        .env("SSL_CERT_FILE", authority)
        .env_remove("SSL_CERT_DIR");
    move || {
        let output = command.output().expect("it can be started");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

#[tokio::test]
#[ignore = "run by the test above, in a process whose environment names the authority"]
#[expect(clippy::print_stdout, reason = "the outcome, for the test above")]
async fn stores_over_tls() {
    let endpoint = std::env::var(ENDPOINT).expect("set by the test above");
    let bucket = Bucket::with_policy(BUCKET, &settings(&endpoint), HASTY).await;
    match store(&bucket, "over-tls", b"some bytes").await {
        Ok(stored) => println!("stored {} bytes", stored.size_bytes),
        Err(error) => println!("{error}"),
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("a certificate")
}

/// Takes connections as `localhost`.
fn acceptor(authority: &CertifiedIssuer<'static, KeyPair>) -> TlsAcceptor {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, authority).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a certificate with its key");
    TlsAcceptor::from(Arc::new(config))
}
