//! An S3 server on a folder of one's own: s3s-fs, reached over HTTP like any other. What its operator
//! may change while it runs: the bucket, the secret of the key, the clock.

mod clock;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use s3s::auth::{S3Auth, SecretKey};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpResponse, S3Result, s3_error};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower::{ServiceExt as _, service_fn};

use self::clock::Clock;
use crate::watch;

/// The key that every server takes.
pub const ACCESS_KEY_ID: &str = "waybill";
/// Its other half.
pub const SECRET_ACCESS_KEY: &str = "waybill-secret";
/// The bucket that every server has from the start.
pub const BUCKET: &str = "waybill";

/// A running (or stopped) server. Dropped, or when this process ends in any way, it and its files are
/// gone. `s3s-fs` itself keeps files about objects that were removed.
#[derive(Debug)]
pub struct S3 {
    address: SocketAddr,
    folder: TempDir,
    watch: Child,
    server: Mutex<Option<Server>>,
    state: State,
}

/// What can be changed while it runs.
#[derive(Clone, Debug)]
struct State {
    /// The secret of [`ACCESS_KEY_ID`].
    secret: Arc<Mutex<String>>,
    bucket_removed: Arc<AtomicBool>,
    clock: Clock,
}

#[async_trait::async_trait]
impl S3Auth for State {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == ACCESS_KEY_ID {
            let secret = self.secret.lock();
            Ok(secret.clone().into())
        } else {
            Err(s3_error!(InvalidAccessKeyId))
        }
    }
}

/// How long one access to a file may take at the end. Far above what is needed.
const END: Duration = Duration::from_secs(10);

/// How much of unfinished multipart uploads a store keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// Uploads that were begun.
    pub uploads: usize,
    /// Their parts.
    pub parts: usize,
}

#[derive(Debug)]
struct Server {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl S3 {
    /// The server that all tests of a process share.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SERVER: OnceLock<S3> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    /// Starts a server with one empty bucket.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start() -> Self {
        let folder = TempDir::with_prefix("waybill-s3-").expect("a folder for the store");
        let watch = watch::remove_with_us(folder.path());
        fs::create_dir(folder.path().join(BUCKET)).expect("a folder for the bucket");
        let state = State {
            secret: Arc::new(Mutex::new(SECRET_ACCESS_KEY.to_owned())),
            bucket_removed: Arc::default(),
            clock: Clock::default(),
        };
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let (address, server) = run(folder.path(), any_port, state.clone()).expect("a server");
        Self {
            address,
            folder,
            watch,
            server: Mutex::new(Some(server)),
            state,
        }
    }

    /// Removes the bucket with all that is in it.
    ///
    /// # Panics
    /// When that fails.
    pub fn remove_bucket(&self) {
        // s3s-fs itself does not ask at every request whether there is a bucket.
        self.state.bucket_removed.store(true, Ordering::SeqCst);
        fs::remove_dir_all(self.folder.path().join(BUCKET)).expect("the bucket is removed");
    }

    /// Makes the bucket, empty.
    ///
    /// # Panics
    /// When that fails.
    pub fn make_bucket(&self) {
        fs::create_dir_all(self.folder.path().join(BUCKET)).expect("a folder for the bucket");
        self.state.bucket_removed.store(false, Ordering::SeqCst);
    }

    /// Takes this secret for [`ACCESS_KEY_ID`] from now on, and no other.
    pub fn rotate_secret(&self, secret: &str) {
        secret.clone_into(&mut self.state.secret.lock());
    }

    /// Sets the server's clock: by so many seconds ahead of this machine's, or behind, if negative.
    pub fn set_clock(&self, seconds: i64) {
        self.state.clock.set(seconds);
    }

    /// Host and port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The folder that holds the buckets.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The files of the objects in the bucket, each below the folders of its key.
    #[must_use]
    pub fn objects(&self) -> Vec<PathBuf> {
        let mut objects = Vec::new();
        let mut folders = vec![self.folder.path().join(BUCKET)];
        while let Some(folder) = folders.pop() {
            // What is being removed may be gone when it is looked at.
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                    Ok(_) => objects.push(entry.path()),
                    Err(_) => {}
                }
            }
        }
        objects
    }

    /// What is kept of unfinished multipart uploads: a file for each that was begun, and one for each
    /// part, in the form of s3s-fs. It may also keep a part that arrived while its upload was aborted,
    /// and knows no upload any more by which to remove it; that is not counted.
    #[must_use]
    pub fn unfinished(&self) -> Unfinished {
        let files = fs::read_dir(self.folder.path()).expect("the folder is ours");
        let names: Vec<String> = files
            .flatten()
            .map(|file| file.file_name().to_string_lossy().into_owned())
            .collect();
        let uploads: Vec<&str> = names
            .iter()
            .filter_map(|name| name.strip_prefix(".upload-")?.strip_suffix(".json"))
            .collect();
        let parts = names.iter().filter(|name| {
            let part = name.strip_prefix(".upload_id-");
            part.is_some_and(|part| uploads.iter().any(|id| part.starts_with(id)))
        });
        Unfinished {
            uploads: uploads.len(),
            parts: parts.count(),
        }
    }

    /// Ends the server; connections to it break.
    pub fn stop(&self) {
        if let Some(server) = self.server.lock().take() {
            server.end();
        }
    }

    /// Starts the server again, at the same address and with the same files.
    ///
    /// # Panics
    /// When somebody else has taken the port meanwhile.
    pub fn start_again(&self) {
        let mut running = self.server.lock();
        assert!(running.is_none(), "it was stopped before");
        let state = self.state.clone();
        let server = run(self.folder.path(), self.address, state);
        let (_, server) = server.expect("the port is still free");
        *running = Some(server);
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.stop();
        // Its input ends: it removes the folder.
        drop(self.watch.stdin.take());
        drop(self.watch.wait());
    }
}

impl Server {
    fn end(self) {
        // A thread that ended by itself does not listen.
        let _ = self.stop.send(());
        self.thread.join().expect("the store does not panic");
    }
}

/// A thread with a runtime of its own, so that a test's runtime may come and go.
fn run(folder: &Path, address: SocketAddr, state: State) -> io::Result<(SocketAddr, Server)> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let files = FileSystem::new(folder).map_err(|error| io::Error::other(format!("{error:?}")))?;
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(state.clone());
    // Whether a date is right is asked of the clock that a test can set.
    let mut config = S3Config::default();
    config.presigned_url_max_skew_time_secs = u32::MAX;
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    let service = builder.build();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let (stop, stopped) = oneshot::channel();
    let thread = thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = stopped => {}
                ended = serve(listener, service, state) => ended.expect("the store can accept"),
            }
        });
        // Connections break here, as they do when a server dies; what is being written is waited for, so
        // that nothing appears in the folder afterwards.
        runtime.shutdown_timeout(END);
    });
    Ok((address, Server { stop, thread }))
}

/// A request ends also when its client is gone, as it does in a real store: s3s-fs that is stopped while
/// it joins parts leaves some of them behind, which nobody can remove.
async fn to_its_end<T: Send + 'static>(answer: impl Future<Output = T> + Send + 'static) -> T {
    let answered = tokio::spawn(answer).await;
    answered.expect("the store does not panic")
}

async fn serve(
    listener: std::net::TcpListener,
    service: S3Service,
    state: State,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let server = Builder::new(TokioExecutor::new());
    let service = TowerToHyperService::new(service_fn(move |request| {
        let removed = state.bucket_removed.load(Ordering::SeqCst);
        let missing = || refusal(StatusCode::NOT_FOUND, "NoSuchBucket", "It does not exist.");
        let refused = state
            .clock
            .refuses(&request)
            .or_else(|| removed.then(missing));
        let (service, clock) = (service.clone(), state.clock.clone());
        async move {
            let mut answer = match refused {
                Some(refusal) => refusal,
                None => to_its_end(service.oneshot(request)).await?,
            };
            clock.date(&mut answer);
            Ok::<_, s3s::HttpError>(answer)
        }
    }));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = server
            .serve_connection(TokioIo::new(stream), service.clone())
            .into_owned();
        // A client that goes away is no concern of the store's.
        tokio::spawn(connection);
    }
}

/// An answer that S3 gives when it does not do what was asked.
fn refusal(status: StatusCode, code: &str, message: &str) -> HttpResponse {
    let document = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let mut answer = HttpResponse::new(Body::from(document));
    *answer.status_mut() = status;
    let xml = HeaderValue::from_static("application/xml");
    answer.headers_mut().insert(CONTENT_TYPE, xml);
    answer
}
