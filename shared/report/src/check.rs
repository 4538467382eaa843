//! Whether a catalog fits its sources: every use of a field is prepared. Nothing is run, unless rows without a time
//! are to be counted.

mod dataset;
mod rows;
mod types;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use self::dataset::{Found, look_at, relation};
use crate::catalog::{Catalog, CatalogFault, CatalogFaults, Dataset};
use crate::source::{SourceError, Sources};

/// Datasets that are looked at at a time: a far source takes long to answer, and one that waits for a
/// locked table holds up no other. They may share one connection, for which no one waits long.
const MAX_LOOKS: usize = 4;

/// What a look at the sources found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What would fail; `None` when nothing would.
    pub faults: Option<CatalogFaults>,
    /// What works and will be slow, by line; in the form of a fault each.
    pub warnings: Vec<CatalogFault>,
    /// Datasets of which nobody could tell, because somebody holds a lock on a table of theirs; in the
    /// form of a fault each, by line.
    pub locked: Vec<CatalogFault>,
}

impl Catalog {
    /// Holds every expression against its source, and looks for the indexes that reports need.
    ///
    /// # Errors
    /// [`SourceError::Unavailable`] and the like, when a source cannot be asked.
    pub async fn check(&self, sources: &Sources) -> Result<Findings, SourceError> {
        self.check_some(sources, |_| true).await
    }

    /// Looks again at the datasets that could not be told of; see [`Findings::locked`].
    ///
    /// # Errors
    /// As [`Catalog::check`].
    pub async fn check_locked(
        &self,
        sources: &Sources,
        before: &Findings,
    ) -> Result<Findings, SourceError> {
        let was_locked = |dataset: &Dataset| {
            let relation = self.fault(dataset, relation(dataset), String::new());
            let mut locked = before.locked.iter();
            locked.any(|fault| fault.setting == relation.setting)
        };
        self.check_some(sources, was_locked).await
    }

    async fn check_some(
        &self,
        sources: &Sources,
        is_meant: impl Fn(&Dataset) -> bool,
    ) -> Result<Findings, SourceError> {
        let datasets = self.datasets().filter(|dataset| is_meant(dataset));
        let mut looks = Vec::new();
        for dataset in datasets {
            looks.push(look_at(self, dataset, sources));
        }
        let looks: Vec<Found> = stream::iter(looks)
            .buffered(MAX_LOOKS)
            .try_collect()
            .await?;
        let mut faults = Vec::new();
        let mut findings = Findings::default();
        for found in looks {
            faults.extend(found.faults);
            findings.warnings.extend(found.warnings);
            findings.locked.extend(found.locked);
        }
        findings.faults = CatalogFaults::from_found(faults);
        findings.warnings.sort_by_key(|warning| warning.line);
        findings.locked.sort_by_key(|locked| locked.line);
        Ok(findings)
    }
}
