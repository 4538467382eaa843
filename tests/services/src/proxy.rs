//! A TCP proxy before PostgreSQL or S3, with which a test disturbs what passes: cut, hang, delay, hold
//! at a step of the conversation, answer in the server's place, corrupt.
//!
//! It owns connections and what happens to them. It recognises requests and statements as they pass
//! (see [`Step`]) and knows nothing of what they are for.

mod http;
mod postgres;
mod step;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex as AsyncMutex, watch};

use self::step::{Action, Passing, Traps, Watched};
pub use self::step::{Step, Trap};

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;

/// A running proxy. Dropped, it is gone with all its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    rules: Arc<Rules>,
    /// Dropped, it ends the thread.
    doors: Option<UnboundedSender<Door>>,
    thread: Option<JoinHandle<()>>,
}

/// What holds for all connections.
#[derive(Debug)]
struct Rules {
    flow: watch::Sender<Flow>,
    /// How often all connections were cut.
    cuts: watch::Sender<u64>,
    traps: Traps,
}

/// How bytes are forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Free,
    Delayed(Duration),
    Stopped,
}

/// Whether new connections are taken; the sender hears when it is so.
#[derive(Debug)]
struct Door {
    open: bool,
    done: mpsc::Sender<()>,
}

#[derive(Clone, Copy, Debug)]
enum Protocol {
    Http,
    Postgres,
}

impl Proxy {
    /// A proxy before an S3 server that speaks HTTP/1.1 without TLS at this address.
    #[must_use]
    pub fn before_s3(server: SocketAddr) -> Self {
        Self::start(server, Protocol::Http).expect("a proxy")
    }

    /// A proxy before a PostgreSQL server at this address, for connections without TLS.
    #[must_use]
    pub fn before_postgres(server: SocketAddr) -> Self {
        Self::start(server, Protocol::Postgres).expect("a proxy")
    }

    /// A thread with a runtime of its own, so that a test's runtime may come and go.
    fn start(server: SocketAddr, protocol: Protocol) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let rules = Arc::new(Rules {
            flow: watch::Sender::new(Flow::Free),
            cuts: watch::Sender::new(0),
            traps: Traps::default(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let (doors, orders) = unbounded_channel();
        let ways = Ways {
            server,
            protocol,
            rules: Arc::clone(&rules),
        };
        let thread = thread::spawn(move || {
            let ended = runtime.block_on(ways.accept(listener, orders));
            ended.expect("the proxy can accept");
            runtime.shutdown_background();
        });
        Ok(Self {
            address,
            rules,
            doors: Some(doors),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Forwards everything as it comes, and takes connections: how it starts.
    pub fn pass(&self) {
        self.rules.flow.send_replace(Flow::Free);
        self.door(true);
    }

    /// Refuses new connections, as a server that does not run.
    pub fn refuse(&self) {
        self.door(false);
    }

    /// Breaks all connections.
    pub fn cut(&self) {
        self.rules.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Both: the server is gone, until [`pass`](Self::pass).
    pub fn go_away(&self) {
        self.refuse();
        self.cut();
    }

    /// Takes connections and bytes, and forwards nothing.
    pub fn hang(&self) {
        self.rules.flow.send_replace(Flow::Stopped);
    }

    /// Forwards everything this much later.
    pub fn delay(&self, pause: Duration) {
        self.rules.flow.send_replace(Flow::Delayed(pause));
    }

    /// Holds the first request or statement of this kind before it is forwarded.
    pub fn hold(&self, step: Step) -> Trap {
        self.rules.traps.set(step, Action::HoldRequest)
    }

    /// Forwards the first request or statement of this kind, and holds what the server answers.
    pub fn hold_answer(&self, step: Step) -> Trap {
        self.rules.traps.set(step, Action::HoldAnswer)
    }

    /// Answers S3 requests of this kind with this status in the server's place, until the trap is
    /// dropped. They may come back after so many seconds, if that is told.
    pub fn answer(&self, step: Step, status: u16, retry_after: Option<u64>) -> Trap {
        let action = Action::Answer {
            status,
            retry_after,
        };
        self.rules.traps.set(step, action)
    }

    /// Changes one byte of the body of the first S3 request of this kind.
    pub fn corrupt(&self, step: Step) -> Trap {
        self.rules.traps.set(step, Action::Corrupt)
    }

    fn door(&self, open: bool) {
        let (done, is_so) = mpsc::channel();
        let doors = self.doors.as_ref().expect("it runs until it is dropped");
        doors
            .send(Door { open, done })
            .expect("the proxy's thread runs");
        is_so.recv().expect("the proxy's thread runs");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.doors = None;
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the proxy panicked");
        }
    }
}

/// From clients to the server.
#[derive(Clone)]
struct Ways {
    server: SocketAddr,
    protocol: Protocol,
    rules: Arc<Rules>,
}

impl Ways {
    async fn accept(
        self,
        listener: std::net::TcpListener,
        mut orders: UnboundedReceiver<Door>,
    ) -> io::Result<()> {
        let address = listener.local_addr()?;
        let mut listener = Some(TcpListener::from_std(listener)?);
        // Keeps the port while nobody listens there.
        let mut closed: Option<TcpSocket> = None;
        loop {
            let accepted = async {
                match &listener {
                    Some(listener) => listener.accept().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                order = orders.recv() => {
                    let Some(Door { open, done }) = order else { return Ok(()) };
                    if let Some(socket) = closed.take_if(|_| open) {
                        listener = Some(socket.listen(BACKLOG)?);
                    } else if listener.take_if(|_| !open).is_some() {
                        closed = Some(bound(address)?);
                    }
                    // Whoever ordered it may be gone.
                    let _ = done.send(());
                }
                client = accepted => {
                    let (client, _) = client?;
                    // From here on it can be cut.
                    let cuts = self.rules.cuts.subscribe();
                    tokio::spawn(self.clone().connect(client, cuts));
                }
            }
        }
    }

    /// One connection, until either side ends it or it is cut.
    async fn connect(self, client: TcpStream, mut cuts: watch::Receiver<u64>) {
        tokio::select! {
            _ = cuts.changed() => {}
            // Either side's fault is the end of the connection, which is all that the other learns.
            ended = self.join(client) => drop(ended),
        }
    }

    async fn join(self, client: TcpStream) -> io::Result<()> {
        self.rules.let_pass().await;
        let server = TcpStream::connect(self.server).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let link = Link {
            rules: self.rules,
            to_client: AsyncMutex::new(to_client),
            answer: Mutex::default(),
        };
        let requests = async {
            match self.protocol {
                Protocol::Http => http::requests(&link, from_client, to_server).await,
                Protocol::Postgres => postgres::requests(&link, from_client, to_server).await,
            }
        };
        tokio::select! {
            ended = requests => ended,
            ended = link.answers(from_server) => ended,
        }
    }
}

/// A port of ours where nobody listens.
fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Connections of the time before may still use it.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl Rules {
    /// Waits until bytes may go on.
    async fn let_pass(&self) {
        let mut flow = self.flow.subscribe();
        let now = *flow.borrow_and_update();
        if let Flow::Delayed(pause) = now {
            tokio::time::sleep(pause).await;
        }
        // The rules outlive the connection, so there is always a sender.
        drop(flow.wait_for(|flow| *flow != Flow::Stopped).await);
    }
}

/// What the two directions of a connection share.
struct Link {
    rules: Arc<Rules>,
    to_client: AsyncMutex<OwnedWriteHalf>,
    /// Whoever waits for the answer to the request that was forwarded last.
    answer: Mutex<Option<Watched>>,
}

impl Link {
    /// What is to happen to a request or statement. A hold is over when this returns.
    async fn meet(&self, passing: &Passing<'_>) -> io::Result<Option<Action>> {
        let Some(watched) = self.rules.traps.meet(passing) else {
            return Ok(None);
        };
        let action = watched.action();
        match action {
            Action::HoldRequest => watched.hold().await?,
            Action::HoldAnswer => {
                *self.answer.lock() = Some(watched);
            }
            Action::Answer { .. } | Action::Corrupt => {}
        }
        Ok(Some(action))
    }

    async fn forward(&self, bytes: &[u8], server: &mut OwnedWriteHalf) -> io::Result<()> {
        self.rules.let_pass().await;
        server.write_all(bytes).await
    }

    async fn answers(&self, mut server: OwnedReadHalf) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = server.read(&mut chunk).await?;
            if read == 0 {
                return Ok(());
            }
            let bytes = &chunk[..read];
            if let Some(watched) = self.take_answer(bytes) {
                watched.hold().await?;
            }
            self.rules.let_pass().await;
            self.to_client.lock().await.write_all(bytes).await?;
        }
    }

    fn take_answer(&self, bytes: &[u8]) -> Option<Watched> {
        let mut answer = self.answer.lock();
        // That the body may come is no answer yet.
        answer.take_if(|_| !bytes.starts_with(http::CONTINUE))
    }
}
