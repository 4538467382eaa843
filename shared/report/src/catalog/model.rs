//! The catalog and what it is made of.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::error::CatalogFault;
use super::expression::Expression;
use crate::caller::Caller;
use crate::column::ColumnType;

/// The most columns of one query where [`Catalog::with_max_columns`] says nothing else: dimensions and
/// measures together. `PostgreSQL` selects 1,664 at most.
pub const MAX_COLUMNS: usize = 1_600;

/// The column of a report without measures; a dataset cannot have another of this name.
pub(crate) const ROW_COUNT: &str = "row_count";

/// All datasets of one installation, by name. Immutable once parsed.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    datasets: BTreeMap<String, Arc<Dataset>>,
    /// `None` for [`MAX_COLUMNS`].
    max_columns: Option<usize>,
    /// Where each setting stands in the file.
    lines: BTreeMap<String, usize>,
}

impl Catalog {
    /// Puts together what was read, with the line of each setting.
    pub(super) fn new(datasets: Vec<Dataset>, lines: BTreeMap<String, usize>) -> Self {
        let by_name = datasets
            .into_iter()
            .map(|dataset| (dataset.name.clone(), Arc::new(dataset)));
        Self {
            datasets: by_name.collect(),
            max_columns: None,
            lines,
        }
    }

    /// Returns the dataset of this name.
    #[must_use]
    pub fn dataset(&self, name: &str) -> Option<&Arc<Dataset>> {
        self.datasets.get(name)
    }

    /// Returns the catalog with another bound of the columns that one query may select.
    #[must_use]
    pub fn with_max_columns(mut self, max_columns: usize) -> Self {
        self.max_columns = Some(max_columns);
        self
    }

    /// Returns the most columns of one query: dimensions and measures together, and entries of `order_by`.
    #[must_use]
    pub fn max_columns(&self) -> usize {
        self.max_columns.unwrap_or(MAX_COLUMNS)
    }

    /// Returns every dataset, sorted by name.
    pub fn datasets(&self) -> impl Iterator<Item = &Dataset> {
        self.datasets.values().map(AsRef::as_ref)
    }

    /// Returns a fault of a dataset's setting, with its line.
    pub(crate) fn fault(&self, dataset: &Dataset, setting: &str, message: String) -> CatalogFault {
        let mut path = format!("datasets.{}.{setting}", dataset.name);
        if let Some(field) = setting.strip_prefix("filters.")
            && !self.lines.contains_key(&path)
        {
            // It is a dimension over again, and that is where its text stands.
            path = format!("datasets.{}.dimensions.{field}", dataset.name);
        }
        CatalogFault {
            line: self.line_of(&path),
            setting: path,
            message,
        }
    }

    /// Returns the line of a setting or, where it has none of its own, of the nearest table around it.
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

/// Something that can be reported on: a table or a trusted query with named fields.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Name on the wire; a `snake_case` identifier.
    pub name: String,
    /// One sentence for people.
    pub description: Option<String>,
    /// Which configured source holds it: the `default` of `[sources.default]`.
    pub source: String,
    /// What is read.
    pub relation: Relation,
    /// Grouped or row by row.
    pub grain: Grain,
    /// The column that holds the organisation; `None` only for a dataset declared `shared = true`.
    pub tenant: Option<String>,
    /// SQL of what `time_range` applies to.
    pub time: Expression,
    /// SQL of when a row last changed; gives freshness.
    pub updated: Option<Expression>,
    /// The longest `time_range`, in days.
    pub max_range_days: Option<u32>,
    /// The roles that may use it; empty = every role.
    pub roles: Vec<String>,
    /// Whether strings that a spreadsheet may take for a formula are marked in CSV files.
    pub formula_guard: bool,
    /// What can be grouped by or copied, in the order of the file.
    pub dimensions: Vec<Field>,
    /// What can be computed, in the order of the file. Empty for [`Grain::Row`].
    pub measures: Vec<Field>,
    /// What can be filtered on, in the order of the file.
    pub filters: Vec<Field>,
}

impl Dataset {
    /// Returns the dimension of this name.
    #[must_use]
    pub fn dimension(&self, name: &str) -> Option<&Field> {
        self.dimensions.iter().find(|field| field.name == name)
    }

    /// Returns the measure of this name.
    #[must_use]
    pub fn measure(&self, name: &str) -> Option<&Field> {
        self.measures.iter().find(|field| field.name == name)
    }

    /// Returns the filter field of this name.
    #[must_use]
    pub fn filter(&self, name: &str) -> Option<&Field> {
        self.filters.iter().find(|field| field.name == name)
    }

    /// Returns whether this caller may use the dataset: by its role, and by the datasets of its key.
    #[must_use]
    pub fn allows(&self, caller: &Caller) -> bool {
        let role = caller.role.name();
        let role_may = self.roles.is_empty() || self.roles.iter().any(|allowed| allowed == role);
        role_may && caller.may_use(&self.name)
    }
}

/// What a dataset reads from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// A table or view, possibly qualified: `public.sessions`.
    Table(String),
    /// A trusted `SELECT`, used as a derived table.
    Sql(String),
}

/// Whether a report groups the source's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grain {
    /// One output row for each group of the dimensions asked for.
    Aggregate,
    /// One output row for each source row.
    Row,
}

/// One dimension, measure or filter.
#[derive(Clone, Debug)]
pub struct Field {
    /// Name on the wire; a `snake_case` identifier.
    pub name: String,
    /// One sentence for people.
    pub description: Option<String>,
    /// Type of its values.
    pub column_type: ColumnType,
    /// How it is computed.
    pub expression: Expression,
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use waybill_config::{Config, Layers};

    use super::*;

    #[test]
    fn an_installation_lets_ask_for_as_many_columns_as_the_engines_read() {
        let config = Config::load(Layers {
            command_defaults: &[],
            file: None,
            environment: Vec::<(OsString, OsString)>::new(),
            flags: &[],
        });
        let limits = config.expect("defaults").limits;
        assert_eq!(limits.max_columns, MAX_COLUMNS);
    }
}
