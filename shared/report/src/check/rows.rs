//! Rows that no report has.

use std::collections::HashMap;

use crate::catalog::{Catalog, CatalogFault};
use crate::source::statement::rows_without_time;
use crate::source::{SourceError, Sources};

impl Catalog {
    /// Counts the rows that have no time and so are in no report, for each dataset that has any: in the
    /// form of a fault each. It reads whole tables.
    ///
    /// # Errors
    /// [`SourceError`], of the first dataset whose rows cannot be counted.
    pub async fn without_time(&self, sources: &Sources) -> Result<Vec<CatalogFault>, SourceError> {
        // Datasets of one table share one count.
        let mut counts: HashMap<(&str, String), u64> = HashMap::new();
        let mut found = Vec::new();
        for dataset in self.datasets() {
            let source = sources
                .get(&dataset.source)
                .ok_or_else(|| SourceError::NotConfigured(dataset.source.clone()))?;
            let sql = rows_without_time(dataset, source.dialect());
            let counted = (dataset.source.as_str(), sql);
            let rows = match counts.get(&counted) {
                Some(rows) => *rows,
                None => source.count(&counted.1).await?,
            };
            counts.insert(counted, rows);
            if rows > 0 {
                let message = format!("rows without a time, which are in no report: {rows}");
                found.push(self.fault(dataset, "time", message));
            }
        }
        found.sort_by_key(|fault| fault.line);
        Ok(found)
    }
}
