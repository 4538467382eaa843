//! Hears what every process changes: one connection that listens, and comes back after an outage.
//!
//! What is told while the connection is away is not heard. Nobody is told of such a gap, which is
//! why [`Changes::changes`](crate::Changes::changes) promises hints and no more.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::broadcast;
use tokio_util::task::AbortOnDropHandle;

use crate::changes::CHANGES_KEPT;
use crate::export::ExportId;

/// See `migrations/postgres`.
const CHANNEL: &str = "waybill.exports";
/// Between one try to listen and the next.
const PAUSE: Duration = Duration::from_millis(500);

/// The listening task; it ends with this.
#[derive(Debug)]
pub(super) struct Listener {
    heard: broadcast::Sender<ExportId>,
    _listening: AbortOnDropHandle<()>,
}

impl Listener {
    /// Listens from now on. The pool has one connection, which is used up.
    #[expect(clippy::disallowed_methods, reason = "its handle aborts it")]
    pub(super) fn listen(pool: PgPool) -> Self {
        let heard = broadcast::Sender::new(CHANGES_KEPT);
        let listening = tokio::spawn(listen_for_ever(pool, heard.clone()));
        Self {
            heard,
            _listening: AbortOnDropHandle::new(listening),
        }
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<ExportId> {
        self.heard.subscribe()
    }
}

async fn listen_for_ever(pool: PgPool, heard: broadcast::Sender<ExportId>) {
    let mut away = false;
    loop {
        if let Err(error) = listen(&pool, &heard).await {
            // The database's absence is told by everyone who needs it; this is the quiet one.
            if !away {
                tracing::debug!(%error, "changes of exports are not heard");
            }
            away = true;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Listens until the connection is lost.
async fn listen(pool: &PgPool, heard: &broadcast::Sender<ExportId>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    while let Some(notification) = listener.try_recv().await? {
        if let Ok(id) = notification.payload().parse() {
            // Nobody listening is fine.
            drop(heard.send(id));
        }
    }
    Ok(())
}
