//! A closed loop of clients: each sends its next request when the last is answered, as pgbench's do.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Clients that every such measurement has.
pub(crate) const CLIENTS: usize = 16;

/// What came of it.
#[derive(Debug)]
pub(crate) struct Load {
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// Of each request.
    pub(crate) latencies: Vec<Duration>,
}

impl Load {
    /// Answers per second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }
}

/// Sends requests for `duration`; each gets a number of its own, from 0 on. The first failure ends it.
pub(crate) async fn run<R, F>(duration: Duration, request: R) -> anyhow::Result<Load>
where
    R: Fn(u64) -> F + Clone + Send + 'static,
    F: Future<Output = anyhow::Result<()>> + Send,
{
    let numbers = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (request, numbers) = (request.clone(), Arc::clone(&numbers));
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while started.elapsed() < duration {
                    let sent = Instant::now();
                    request(numbers.fetch_add(1, Ordering::Relaxed)).await?;
                    latencies.push(sent.elapsed());
                }
                anyhow::Ok(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for client in clients {
        latencies.extend(client.await??);
    }
    Ok(Load {
        elapsed: started.elapsed(),
        latencies,
    })
}
