//! Whether a process can do its work now, and what is missing if not.
//!
//! The same for every process, whatever it serves: it asks the database of exports, the store and the
//! sources. How that is told, and to whom, is for others.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::bucket::Bucket;
use crate::ledger::{Ledger, LedgerError};
use crate::source::Sources;
use crate::telemetry::chain;

/// How long a dependency may take to say that it is there.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// What is said of one that took longer.
const LATE: &str = "no answer in time";

/// What a process depends on. A clone looks at the same.
#[derive(Clone)]
pub struct Readiness {
    ledger: Arc<dyn Ledger>,
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
    /// A source does not answer; its name, if it is known which one.
    Source(Option<String>),
    /// The catalog has not been held against its sources yet.
    Catalog,
    /// The store does not answer, or not for this bucket.
    Storage,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database => f.write_str("database"),
            Self::Migrations => f.write_str("migrations"),
            Self::Source(Some(name)) => write!(f, "source {name}"),
            Self::Source(None) => f.write_str("source"),
            Self::Catalog => f.write_str("catalog"),
            Self::Storage => f.write_str("storage"),
        }
    }
}

/// A process that cannot do its work now. Displays for the operator: what is missing, and why.
#[derive(Clone, Debug, Default, thiserror::Error)]
#[error("{}", .causes.join("; "))]
pub struct NotReady {
    /// What is missing; never empty, the store last.
    pub missing: Vec<Missing>,
    causes: Vec<String>,
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
    pub fn new(ledger: Arc<dyn Ledger>, bucket: Bucket, sources: Sources) -> Self {
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
        let (ledger, sources, bucket) = tokio::join!(
            within(self.ledger.check()),
            within(self.sources.check()),
            within(self.bucket.check()),
        );
        let mut found = NotReady::default();
        match ledger {
            Checked::Well => {}
            Checked::Failed(error @ LedgerError::SchemaOutdated) => {
                found.add(Missing::Migrations, error);
            }
            Checked::Failed(error) => found.add(Missing::Database, chain(&error)),
            Checked::Late => found.add(Missing::Database, LATE),
        }
        match sources {
            Checked::Well if self.knows_the_catalog() => {}
            Checked::Well => found.add(Missing::Catalog, "not yet held against its sources"),
            Checked::Failed((name, error)) => {
                found.add(Missing::Source(Some(name)), chain(&error));
            }
            Checked::Late => found.add(Missing::Source(None), LATE),
        }
        match bucket {
            Checked::Well => {}
            Checked::Failed(error) => found.add(Missing::Storage, chain(&error)),
            Checked::Late => found.add(Missing::Storage, LATE),
        }
        if found.missing.is_empty() {
            Ok(())
        } else {
            Err(found)
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

async fn within<E>(check: impl Future<Output = Result<(), E>>) -> Checked<E> {
    match tokio::time::timeout(CHECK_TIMEOUT, check).await {
        Ok(Ok(())) => Checked::Well,
        Ok(Err(error)) => Checked::Failed(error),
        Err(_) => Checked::Late,
    }
}
