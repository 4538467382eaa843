//! The questions to each dependency, all at once and with a deadline.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use waybill_ledger::{LedgerError, Probe};
use waybill_report::source::Sources;
use waybill_store::Bucket;
use waybill_telemetry::chain;

use crate::requirement::{NotReady, Requirement, Unreachable};

/// How long a dependency may take to say that it is there.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// What is said of one that took longer.
const LATE: &str = "no answer in time";

/// What a process depends on. A clone looks at the same.
#[derive(Clone)]
pub struct Readiness {
    ledger: Arc<dyn Probe>,
    bucket: Bucket,
    sources: Sources,
    catalog_checked: Arc<AtomicBool>,
}

impl Readiness {
    /// Returns the readiness of a process with these dependencies, whose catalog is still to be checked.
    #[must_use]
    pub fn new(ledger: Arc<dyn Probe>, bucket: Bucket, sources: Sources) -> Self {
        Self {
            ledger,
            bucket,
            sources,
            catalog_checked: Arc::default(),
        }
    }

    /// Records that the catalog fits its sources.
    pub fn mark_catalog_checked(&self) {
        self.catalog_checked.store(true, Ordering::Release);
    }

    /// Returns whether the catalog was found to fit its sources.
    #[must_use]
    pub fn is_catalog_checked(&self) -> bool {
        self.catalog_checked.load(Ordering::Acquire)
    }

    /// Asks every dependency; takes some 2 s at most.
    ///
    /// # Errors
    /// [`NotReady`] with everything that is missing.
    pub async fn check(&self) -> Result<(), NotReady> {
        let (ledger, unreachable) = tokio::join!(within(self.ledger.check()), self.unreachable());
        let mut found = NotReady::default();
        match ledger {
            Checked::Well => {}
            Checked::Failed(error @ LedgerError::SchemaOutdated) => {
                found.add(Requirement::Migrations, error);
            }
            Checked::Failed(error) => found.add(Requirement::Database, chain(&error)),
            Checked::Late => found.add(Requirement::Database, LATE),
        }
        if unreachable.sources.is_empty() && !self.is_catalog_checked() {
            found.add(Requirement::Catalog, "not yet held against its sources");
        }
        for (name, cause) in unreachable.sources {
            found.add(Requirement::Source(name), cause);
        }
        if let Some(cause) = unreachable.store {
            found.add(Requirement::Storage, cause);
        }
        if let Some(difference) = self.bucket.clock_difference() {
            found.add(
                Requirement::Clock(difference),
                "set this machine's clock, for example by NTP",
            );
        }
        found.into_result()
    }

    /// Asks the store and every source, all at once; takes some 2 s at most.
    pub async fn unreachable(&self) -> Unreachable {
        let sources = self.sources.by_name().map(|(name, source)| async move {
            let cause = within(source.check()).await.cause()?;
            Some((name.to_owned(), cause))
        });
        let (sources, store) = tokio::join!(join_all(sources), within(self.bucket.check()));
        Unreachable {
            store: store.cause(),
            sources: sources.into_iter().flatten().collect(),
        }
    }
}

/// What a check came to.
enum Checked<E> {
    Well,
    Failed(E),
    /// No answer in time.
    Late,
}

impl<E: std::error::Error + 'static> Checked<E> {
    /// What is wrong, if anything is.
    fn cause(self) -> Option<String> {
        match self {
            Self::Well => None,
            Self::Failed(error) => Some(chain(&error)),
            Self::Late => Some(LATE.to_owned()),
        }
    }
}

async fn within<E>(check: impl Future<Output = Result<(), E>>) -> Checked<E> {
    match tokio::time::timeout(CHECK_TIMEOUT, check).await {
        Ok(Ok(())) => Checked::Well,
        Ok(Err(error)) => Checked::Failed(error),
        Err(_) => Checked::Late,
    }
}
