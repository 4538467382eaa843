//! What may be asked: datasets with their dimensions, measures and filters.
//!
//! The operator writes the catalog as a TOML file; [`Catalog::parse`] reads it and reports every
//! mistake with its line. Expressions in it are trusted SQL; nothing that a client sends is. The
//! catalog knows which columns exist, not how a statement is built from them.

mod check;
mod draft;
mod fault;
mod parse;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::column::ColumnType;

pub use check::Findings;
pub use draft::{Draft, draft};
pub use fault::{CatalogError, CatalogFault, CatalogFaults};

/// The most columns of one query where [`Catalog::with_max_columns`] says nothing else: dimensions and measures
/// together. PostgreSQL selects 1,664 at most.
pub const MAX_COLUMNS: usize = 1_600;

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
    /// The dataset of this name.
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

    /// Every dataset, sorted by name.
    pub fn datasets(&self) -> impl Iterator<Item = &Dataset> {
        self.datasets.values().map(AsRef::as_ref)
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
    /// The dimension of this name.
    #[must_use]
    pub fn dimension(&self, name: &str) -> Option<&Field> {
        self.dimensions.iter().find(|field| field.name == name)
    }

    /// The measure of this name.
    #[must_use]
    pub fn measure(&self, name: &str) -> Option<&Field> {
        self.measures.iter().find(|field| field.name == name)
    }

    /// The filter field of this name.
    #[must_use]
    pub fn filter(&self, name: &str) -> Option<&Field> {
        self.filters.iter().find(|field| field.name == name)
    }

    /// Whether this caller may use the dataset: by its role, and by the datasets of its key.
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

/// Trusted SQL, with another text for a dialect where one text does not serve all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// The text for every dialect that has none of its own.
    pub sql: String,
    /// The text for SQLite.
    pub sqlite: Option<String>,
    /// The text for PostgreSQL.
    pub postgres: Option<String>,
    /// How the values of a timestamp are written where the database has no type for them, which is SQLite. Without
    /// it, each value may be in another of the forms that SQLite itself knows: text, Unix seconds as an INTEGER, a
    /// Julian day as a REAL.
    pub form: Option<InstantForm>,
}

/// How instants are written in a SQLite file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstantForm {
    /// Text of ISO 8601, in UTC where it has no offset; a day alone is its midnight.
    Rfc3339,
    /// Seconds since 1970, with or without a fraction.
    EpochS,
    /// Milliseconds since 1970, with or without a fraction.
    EpochMs,
    /// A Julian day, as SQLite's `julianday` gives it, to the millisecond.
    Julian,
}

impl InstantForm {
    /// Every form.
    pub const ALL: [Self; 4] = [Self::Rfc3339, Self::EpochS, Self::EpochMs, Self::Julian];

    /// The name in the catalog.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rfc3339 => "rfc3339",
            Self::EpochS => "epoch_s",
            Self::EpochMs => "epoch_ms",
            Self::Julian => "julian",
        }
    }
}

impl Expression {
    /// An expression that reads the same in every dialect.
    #[must_use]
    pub fn plain(sql: impl Into<String>) -> Self {
        Self {
            sql: sql.into(),
            sqlite: None,
            postgres: None,
            form: None,
        }
    }
}
