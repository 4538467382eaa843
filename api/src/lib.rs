//! The HTTP service of Waybill: what clients see, and nothing of how files are made.
//!
//! Read it as a request meets it, each folder once:
//!
//! 1. `server`: a connection, bounded in number and time.
//! 2. `router`: the service; `state` puts together what its routes take.
//! 3. `middleware`: what every request passes, from metrics to the gate.
//! 4. `routes`: every route on one screen, then one operation a file: what is done, in order.
//! 5. `auth`: who asks.
//! 6. `request`: what is read of a request.
//! 7. `admission`: a body becomes a plan; at once, as a job, or later.
//! 8. `answer`: the rows, a job, a link or a stream of events; `watcher` holds clients until an export changes.
//! 9. `views` and `links`: what an answer looks like; `pages` what people see, `openapi` what programs read.
//! 10. `problem`: whatever went wrong on the way. Beside them, `metrics` counts and `clock` tells the time of an answer.

mod admission;
mod answer;
mod auth;
mod clock;
mod dependencies;
mod headers;
mod links;
mod metrics;
mod middleware;
mod openapi;
mod pages;
mod problem;
mod request;
mod retry_after;
mod router;
mod routes;
mod server;
mod state;
#[cfg(test)]
mod tests;
mod views;
mod watcher;

use std::io;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use waybill_config::LimitSettings;

use self::state::ApiState;

pub use auth::Access;
pub use dependencies::{Dependencies, HealthDependencies};
pub use middleware::gate::{Cors, Gate, HostError, Refusal};
pub use server::serve_within;

/// Serves until `shutdown` is cancelled: then takes no connection any more, ends what is held back for a
/// client, and returns once every request is answered. How long that may take is for the caller to bound,
/// by dropping the future.
///
/// # Errors
/// [`io::Error`] when the service cannot be put together. Errors of single connections end those only.
pub async fn serve(
    listener: TcpListener,
    dependencies: Dependencies,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let limits = dependencies.limits.clone();
    let state = ApiState::new(dependencies, shutdown.clone());
    let (router, _) = router::router(state)?;
    serve_within(listener, router, &limits, shutdown).await;
    Ok(())
}

/// Serves the health of a process that has no API, as [`serve`] does.
///
/// # Errors
/// As [`serve`].
pub async fn serve_health(
    listener: TcpListener,
    dependencies: HealthDependencies,
    limits: &LimitSettings,
    shutdown: CancellationToken,
) -> io::Result<()> {
    serve_within(listener, router::health(dependencies), limits, shutdown).await;
    Ok(())
}
