//! The moment at which something is shown.

use chrono::{DateTime, Utc};

/// Returns the time by this machine's clock. How an export is shown depends on when it is asked for; what
/// happens to it goes by the ledger's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "how an export is shown depends on when it is asked for"
)]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}
