//! What may be asked: datasets with their dimensions, measures and filters.
//!
//! The operator writes the catalog as a TOML file; [`Catalog::parse`] reads it and reports every
//! mistake with its line. Expressions in it are trusted SQL; nothing that a client sends is. The
//! catalog knows which columns exist, not how a statement is built from them, and no source.
//!
//! ```
//! use waybill_report::catalog::Catalog;
//!
//! let faults = Catalog::parse("[datasets.sessions]\ntabel = \"sessions\"\n").unwrap_err();
//! let first = faults.iter().next().map(ToString::to_string);
//! assert_eq!(
//!     first.as_deref(),
//!     Some("datasets.sessions.table: is required: or sql, a SELECT")
//! );
//! ```

mod error;
mod expression;
mod field;
mod model;
mod name;
mod parse;
mod sql;

pub use error::{CatalogError, CatalogFault, CatalogFaults};
pub use expression::{Expression, InstantForm};
pub use model::{Catalog, Dataset, Field, Grain, MAX_COLUMNS, Relation};

pub(crate) use model::ROW_COUNT;
pub(crate) use name::is_identifier;
