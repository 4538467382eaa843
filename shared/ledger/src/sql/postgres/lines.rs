//! Each organisation's requests of this process wait in a line of their own, without a connection.
//!
//! Exports of one organisation are accepted one after the other by a lock of the database. If all that
//! wait for it had a connection, one organisation's flood would leave none to the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OwnedMutexGuard;

use waybill_report::caller::OrgId;

/// With so many lines, those in which nobody stands are forgotten.
const MANY: usize = 1_000;

type Line = tokio::sync::Mutex<()>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Lines {
    lines: Mutex<HashMap<OrgId, Weak<Line>>>,
}

impl Lines {
    /// Waits until nobody of the organisation is in front.
    pub(super) async fn enter(&self, org: &OrgId) -> OwnedMutexGuard<()> {
        self.line(org).lock_owned().await
    }

    fn line(&self, org: &OrgId) -> Arc<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(org).and_then(Weak::upgrade) {
            return line;
        }
        if lines.len() >= MANY {
            lines.retain(|_, line| line.strong_count() > 0);
        }
        let line = Arc::default();
        lines.insert(org.clone(), Arc::downgrade(&line));
        line
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn an_organisation_waits_for_itself_alone() {
        let lines = Lines::default();
        let (a, b) = (OrgId::new("a"), OrgId::new("b"));
        let first = lines.enter(&a).await;
        let mut second = Box::pin(lines.enter(&a));
        assert!(second.as_mut().now_or_never().is_none());
        drop(lines.enter(&b).await);
        drop(first);
        drop(second.await);
        for number in 0..2 * MANY {
            drop(lines.enter(&OrgId::new(number.to_string())).await);
        }
        let left = lines.lines.lock().expect("no panic").len();
        assert!(left <= MANY, "{left} lines of nobody");
    }
}
