//! What can be wrong with a request, as a client reads it.

use serde::Serialize;
use utoipa::ToSchema;

/// One fault of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// RFC 6901 pointer to the member at fault; empty = the whole document.
    pub pointer: String,
    /// The kind of fault.
    pub code: FaultCode,
    /// What is wrong and what would be right.
    pub detail: String,
}

impl Fault {
    /// A fault at a pointer.
    #[must_use]
    pub fn new(pointer: impl Into<String>, code: FaultCode, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            code,
            detail: detail.into(),
        }
    }
}

/// Stable codes of single faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultCode {
    /// Not JSON, an unknown, missing or repeated member, or a member of the wrong JSON type.
    InvalidRequest,
    /// No such dataset.
    UnknownDataset,
    /// The dataset has no such dimension.
    UnknownDimension,
    /// The dataset has no such measure.
    UnknownMeasure,
    /// The dataset has no such filter field.
    UnknownFilterField,
    /// A column is selected twice.
    DuplicateColumn,
    /// No such operator, or none for this type.
    InvalidFilterOp,
    /// The value does not fit the field's type or the operator.
    InvalidFilterValue,
    /// The range is empty, too long or not two instants.
    InvalidTimeRange,
    /// The limit is not a number of rows.
    InvalidLimit,
    /// An entry of the order that names no selected column, or two.
    InvalidOrderBy,
    /// A list is longer than allowed.
    TooManyItems,
    /// No such format.
    UnsupportedFormat,
    /// No such option.
    InvalidOption,
}

/// Why no plan was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The request is at fault, in every way listed; never empty.
    #[error("the request has {} fault(s), the first: {}", .0.len(), .0.first().map_or("", |fault| fault.detail.as_str()))]
    Invalid(Vec<Fault>),
    /// The dataset exists, but this caller may not use it.
    #[error("this caller may not use the dataset {dataset}")]
    Forbidden {
        /// Its name.
        dataset: String,
    },
}
