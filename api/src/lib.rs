//! The HTTP service of Waybill: what clients see, and nothing of how files are made.
//!
//! Read it as a request meets it: `server` → `boundary` → `gate` → `router` → `auth` → `routes` → `admission` →
//! `inline`, or the ledger → `export_view`. What goes wrong on the way is a `problem`.

mod admission;
mod answer;
mod auth;
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

pub use auth::Access;
pub use middleware::gate::{Cors, Gate, HostError, Refusal};
pub use server::serve_within;
pub use state::{ApiParts, ApiState, HealthParts};

/// Serves until `shutdown` is cancelled: then takes no connection any more, ends what is held back for a
/// client, and returns once every request is answered. How long that may take is for the caller to bound,
/// by dropping the future.
///
/// # Errors
/// [`io::Error`] when the service cannot be put together. Errors of single connections end those only.
pub async fn serve(
    listener: TcpListener,
    state: ApiState,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let state = state.draining_with(shutdown.clone());
    let limits = state.limits.clone();
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
    parts: HealthParts,
    limits: &LimitSettings,
    shutdown: CancellationToken,
) -> io::Result<()> {
    serve_within(listener, router::health(parts), limits, shutdown).await;
    Ok(())
}
