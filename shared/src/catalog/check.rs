//! Whether the catalog fits its sources: every field is prepared, nothing is run.

use super::{Catalog, CatalogFault, CatalogFaults, Dataset};
use crate::source::{SourceError, Sources};
use crate::statement::{Probe, probes};

impl Catalog {
    /// Prepares every expression against its source.
    ///
    /// # Errors
    /// [`SourceError::Unavailable`] and the like, when a source cannot be asked.
    ///
    /// Returns the mistakes found, each with the line of its setting; `None` when there is none.
    pub async fn check(&self, sources: &Sources) -> Result<Option<CatalogFaults>, SourceError> {
        let mut faults = Vec::new();
        for dataset in self.datasets() {
            self.check_dataset(dataset, sources, &mut faults).await?;
        }
        Ok(CatalogFaults::from_found(faults))
    }

    async fn check_dataset(
        &self,
        dataset: &Dataset,
        sources: &Sources,
        faults: &mut Vec<CatalogFault>,
    ) -> Result<(), SourceError> {
        let source = sources
            .get(&dataset.source)
            .ok_or_else(|| SourceError::NotConfigured(dataset.source.clone()))?;
        for Probe { setting, sql } in probes(dataset, source.dialect()) {
            let Err(error) = source.prepare(&sql).await else {
                continue;
            };
            let SourceError::Refused(message) = error else {
                return Err(error);
            };
            let setting = format!("datasets.{}.{setting}", dataset.name);
            let relation_is_wrong = setting.ends_with(".table") || setting.ends_with(".sql");
            faults.push(CatalogFault {
                line: self.line_of(&setting),
                setting,
                message,
            });
            if relation_is_wrong {
                // Every field would repeat it.
                break;
            }
        }
        Ok(())
    }

    /// The line of a setting or, where it has none of its own, of the nearest table around it.
    fn line_of(&self, setting: &str) -> usize {
        let mut path = setting;
        loop {
            if let Some(line) = self.lines.get(path) {
                return *line;
            }
            match path.rsplit_once('.') {
                Some((parent, _)) => path = parent,
                None => return 1,
            }
        }
    }
}
