//! An open loop: requests that arrive on a schedule and do not wait for the answers of earlier ones,
//! as those of many clients do that know nothing of each other.
//!
//! And the closed loop beside it, which finds out how much fits: by the same cheap client.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::RETRY_AFTER;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::wire::{Answer, Connection, Prepared, on_one_thread};

/// One request. Times are since the first one was due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// When it was to be sent.
    pub(crate) due: Duration,
    /// When it was sent. What lies between is the client's own lag.
    pub(crate) sent: Duration,
    pub(crate) answered: Duration,
    /// `None` when the connection broke.
    pub(crate) status: Option<StatusCode>,
}

impl Arrival {
    /// What its client waited for the answer.
    pub(crate) fn latency(&self) -> Duration {
        self.answered.saturating_sub(self.sent)
    }

    /// How late the client was.
    pub(crate) fn lag(&self) -> Duration {
        self.sent.saturating_sub(self.due)
    }
}

/// Connections that are open and not in use.
type Idle = Arc<Mutex<Vec<Connection>>>;

/// Sends `per_second` requests for `duration`, evenly, and returns what became of each. There are
/// `connections` to begin with, and more when they do not suffice.
pub(crate) async fn open_loop(
    request: Prepared,
    per_second: f64,
    duration: Duration,
    connections: usize,
) -> anyhow::Result<Vec<Arrival>> {
    on_one_thread(move || run_open_loop(request, per_second, duration, connections)).await
}

async fn run_open_loop(
    request: Prepared,
    per_second: f64,
    duration: Duration,
    connections: usize,
) -> anyhow::Result<Vec<Arrival>> {
    let idle = Idle::default();
    for _ in 0..connections {
        let mut connection = request.connect().await?;
        // Once it is answered it has been accepted, too.
        connection.send(&request).await?;
        put(&idle, connection);
    }
    let request = Arc::new(request);
    let mut running = JoinSet::new();
    let started = Instant::now();
    for number in 0..(per_second * duration.as_secs_f64()) as u64 {
        let due = Duration::from_secs_f64(number as f64 / per_second);
        // The clock ticks in milliseconds: what is due in the same one is sent together.
        sleep_until(started + due).await;
        running.spawn(arrive(
            Arc::clone(&request),
            Arc::clone(&idle),
            started,
            due,
        ));
    }
    let mut arrivals = Vec::with_capacity(running.len());
    while let Some(arrival) = running.join_next().await {
        arrivals.push(arrival?);
    }
    Ok(arrivals)
}

async fn arrive(request: Arc<Prepared>, idle: Idle, started: Instant, due: Duration) -> Arrival {
    let sent = started.elapsed();
    let status = ask(&request, &idle).await;
    Arrival {
        due,
        sent,
        answered: started.elapsed(),
        status: status.ok(),
    }
}

async fn ask(request: &Prepared, idle: &Idle) -> anyhow::Result<StatusCode> {
    let free = idle.lock().pop();
    let mut connection = match free {
        Some(connection) => connection,
        None => request.connect().await?,
    };
    let answer = connection.send(request).await?;
    put(idle, connection);
    checked(&answer)
}

fn put(idle: &Idle, connection: Connection) {
    let mut idle = idle.lock();
    idle.push(connection);
}

/// Has `clients` ask again as soon as they are answered, for `duration`; returns the statuses of all
/// answers and how long it took.
pub(crate) async fn closed_loop(
    request: Prepared,
    clients: usize,
    duration: Duration,
) -> anyhow::Result<(Vec<StatusCode>, Duration)> {
    on_one_thread(move || async move {
        let mut connections = Vec::new();
        for _ in 0..clients {
            connections.push(request.connect().await?);
        }
        let request = Arc::new(request);
        let mut running = JoinSet::new();
        let started = Instant::now();
        for mut connection in connections {
            let request = Arc::clone(&request);
            running.spawn(async move {
                let mut statuses = Vec::new();
                while started.elapsed() < duration {
                    statuses.push(checked(&connection.send(&request).await?)?);
                }
                anyhow::Ok(statuses)
            });
        }
        let mut all = Vec::new();
        while let Some(statuses) = running.join_next().await {
            all.extend(statuses??);
        }
        Ok((all, started.elapsed()))
    })
    .await
}

/// The status of an answer that is whole: a 200 has a body, a 429 says when to come back.
fn checked(answer: &Answer) -> anyhow::Result<StatusCode> {
    match answer.status {
        StatusCode::OK => anyhow::ensure!(!answer.body.is_empty(), "a 200 with nothing in it"),
        StatusCode::TOO_MANY_REQUESTS => anyhow::ensure!(
            answer.headers.contains_key(RETRY_AFTER),
            "a 429 that does not say when to come back"
        ),
        _ => {}
    }
    Ok(answer.status)
}
