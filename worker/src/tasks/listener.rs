//! Who hears of what happened to exports.

use std::error::Error;

use async_trait::async_trait;
use waybill_ledger::{Event, OutboxEvent};

/// Does something after an export changed. It is told of each event that it hears at least once, an
/// export's events in their order: what must not happen twice goes by [`OutboxEvent::id`].
#[async_trait]
pub(crate) trait Listener: Send + Sync {
    /// Returns its name, without a space. The outbox remembers it: one that is renamed is told again.
    fn name(&self) -> &'static str;

    /// Returns whether it has to be told of such events.
    fn hears(&self, event: Event) -> bool;

    /// Hears of an event. After an error it is told again, later and later.
    async fn hear(&self, event: &OutboxEvent) -> Result<(), ListenError>;
}

/// Why a listener has not heard.
pub(crate) type ListenError = Box<dyn Error + Send + Sync>;
