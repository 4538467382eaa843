//! An S3 server on a folder of one's own: s3s-fs, reached over HTTP like any other.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower::util::MapFuture;

/// The key that every server takes.
pub const ACCESS_KEY_ID: &str = "waybill";
/// Its other half.
pub const SECRET_ACCESS_KEY: &str = "waybill-secret";
/// The bucket that every server has from the start.
pub const BUCKET: &str = "waybill";

/// A running (or stopped) server. Dropped, it and its files are gone.
#[derive(Debug)]
pub struct S3 {
    address: SocketAddr,
    folder: TempDir,
    server: Mutex<Option<Server>>,
}

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
        fs::create_dir(folder.path().join(BUCKET)).expect("a folder for the bucket");
        let (address, server) =
            run(folder.path(), SocketAddr::from(([127, 0, 0, 1], 0))).expect("a server");
        Self {
            address,
            folder,
            server: Mutex::new(Some(server)),
        }
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
        if let Some(server) = self.server().take() {
            server.end();
        }
    }

    /// Starts the server again, at the same address and with the same files.
    ///
    /// # Panics
    /// When somebody else has taken the port meanwhile.
    pub fn start_again(&self) {
        let mut running = self.server();
        assert!(running.is_none(), "it was stopped before");
        let (_, server) = run(self.folder.path(), self.address).expect("the port is still free");
        *running = Some(server);
    }

    fn server(&self) -> MutexGuard<'_, Option<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.stop();
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
fn run(folder: &Path, address: SocketAddr) -> io::Result<(SocketAddr, Server)> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let files = FileSystem::new(folder).map_err(|error| io::Error::other(format!("{error:?}")))?;
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(ACCESS_KEY_ID, SECRET_ACCESS_KEY));
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
                ended = serve(listener, service) => ended.expect("the store can accept"),
            }
        });
        // Connections break here, as they do when a server dies.
        runtime.shutdown_background();
    });
    Ok((address, Server { stop, thread }))
}

/// A request ends also when its client is gone, as it does in a real store: s3s-fs that is stopped while
/// it joins parts leaves some of them behind, which nobody can remove.
async fn to_its_end<T: Send + 'static>(answer: impl Future<Output = T> + Send + 'static) -> T {
    let answered = tokio::spawn(answer).await;
    answered.expect("the store does not panic")
}

async fn serve(listener: std::net::TcpListener, service: S3Service) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let server = Builder::new(TokioExecutor::new());
    let service = TowerToHyperService::new(MapFuture::new(service, to_its_end));
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
