//! Whether a process can do its work now, and what is missing if not.
//!
//! The same for every process, whatever it serves: it asks the database of exports, the store and the
//! sources. How that is told, and to whom, is for others.

#![deny(missing_docs)]

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;

use waybill_ledger::{LedgerError, Probe};
use waybill_report::source::Sources;
use waybill_store::{Bucket, ClockDifference};
use waybill_telemetry::chain;

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

/// Something without which a process is not ready. Displays as it stands in `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The database of exports does not answer.
    Database,
    /// Its schema is older than this program.
    Migrations,
    /// The source of this name does not answer.
    Source(String),
    /// The catalog has not been held against its sources yet.
    Catalog,
    /// The store does not answer, or not for this bucket.
    Storage,
    /// This machine's clock is too far from the store's.
    Clock(ClockDifference),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database => f.write_str("database"),
            Self::Migrations => f.write_str("migrations"),
            Self::Source(name) => write!(f, "source {name}"),
            Self::Catalog => f.write_str("catalog"),
            Self::Storage => f.write_str("storage"),
            Self::Clock(difference) => write!(f, "clock ({difference})"),
        }
    }
}

/// A process that cannot do its work now. Displays for the operator: what is missing, and why.
#[derive(Clone, Debug, Default, thiserror::Error)]
#[error("{}", .causes.join("; "))]
pub struct NotReady {
    /// What is missing; never empty, the store and the clock last.
    pub missing: Vec<Missing>,
    causes: Vec<String>,
}

/// What does not answer of that with which an export is made, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Away {
    /// The store.
    pub store: Option<String>,
    /// Sources, by name.
    pub sources: BTreeMap<String, String>,
}

impl Away {
    /// Returns whether nothing is away.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.store.is_none() && self.sources.is_empty()
    }
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources = self.sources.iter();
        let sources = sources.map(|(name, cause)| format!("{}: {cause}", named(name)));
        let store = self.store.iter();
        let store = store.map(|cause| format!("{}: {cause}", Missing::Storage));
        f.write_str(&sources.chain(store).collect::<Vec<_>>().join("; "))
    }
}

fn named(source: &str) -> Missing {
    Missing::Source(source.to_owned())
}

impl NotReady {
    fn add(&mut self, missing: Missing, cause: impl fmt::Display) {
        self.causes.push(format!("{missing}: {cause}"));
        self.missing.push(missing);
    }
}

impl Readiness {
    /// A process with these dependencies, whose catalog is still to be checked.
    #[must_use]
    pub fn new(ledger: Arc<dyn Probe>, bucket: Bucket, sources: Sources) -> Self {
        Self {
            ledger,
            bucket,
            sources,
            catalog_checked: Arc::default(),
        }
    }

    /// Says that the catalog fits its sources.
    pub fn catalog_is_checked(&self) {
        self.catalog_checked.store(true, Ordering::Release);
    }

    /// Whether the catalog was found to fit its sources.
    #[must_use]
    pub fn knows_the_catalog(&self) -> bool {
        self.catalog_checked.load(Ordering::Acquire)
    }

    /// Asks every dependency; takes some 2 s at most.
    ///
    /// # Errors
    /// [`NotReady`] with everything that is missing.
    pub async fn check(&self) -> Result<(), NotReady> {
        let (ledger, away) = tokio::join!(within(self.ledger.check()), self.away());
        let mut found = NotReady::default();
        match ledger {
            Checked::Well => {}
            Checked::Failed(error @ LedgerError::SchemaOutdated) => {
                found.add(Missing::Migrations, error);
            }
            Checked::Failed(error) => found.add(Missing::Database, chain(&error)),
            Checked::Late => found.add(Missing::Database, LATE),
        }
        if away.sources.is_empty() && !self.knows_the_catalog() {
            found.add(Missing::Catalog, "not yet held against its sources");
        }
        for (name, cause) in away.sources {
            found.add(Missing::Source(name), cause);
        }
        if let Some(cause) = away.store {
            found.add(Missing::Storage, cause);
        }
        if let Some(difference) = self.bucket.clock_difference() {
            found.add(
                Missing::Clock(difference),
                "set this machine's clock, for example by NTP",
            );
        }
        if found.missing.is_empty() {
            Ok(())
        } else {
            Err(found)
        }
    }
}

impl Readiness {
    /// Asks the store and every source, all at once; takes some 2 s at most.
    pub async fn away(&self) -> Away {
        let sources = self.sources.by_name().map(|(name, source)| async move {
            let cause = within(source.check()).await.cause()?;
            Some((name.to_owned(), cause))
        });
        let (sources, store) = tokio::join!(join_all(sources), within(self.bucket.check()));
        Away {
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
