//! The HTTP service of Waybill: what clients see, and nothing of how files are made.
//!
//! Read it as a request meets it: `boundary` → `router` → `routes` → `admission` → `inline`, or
//! the ledger → `export_view`. What goes wrong on the way is a `problem`.

mod actions;
mod admission;
mod auth;
mod body;
mod boundary;
mod enqueue;
mod etag;
mod events;
mod export_view;
mod html;
mod inline;
mod links;
mod negotiate;
mod openapi;
mod parameters;
mod problem;
mod report_view;
mod retry_after;
mod router;
mod routes;
mod state;
#[cfg(test)]
mod tests;
mod wait;
mod watch;

use std::io;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use waybill_shared::readiness::Readiness;

pub use auth::Access;
pub use state::{ApiParts, ApiState};

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
    let (router, _) = router::router(state)?;
    listen(listener, router, shutdown).await
}

/// Serves the health of a process that has no API, as [`serve`] does.
///
/// # Errors
/// As [`serve`].
pub async fn serve_health(
    listener: TcpListener,
    readiness: Readiness,
    shutdown: CancellationToken,
) -> io::Result<()> {
    listen(listener, router::health(readiness), shutdown).await
}

async fn listen(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let listener = listener.tap_io(|connection| {
        // Answers are small and written whole: nothing is won by waiting for more.
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(cause = %error, "a connection keeps its delay");
        }
    });
    axum::serve(listener, router)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
}
