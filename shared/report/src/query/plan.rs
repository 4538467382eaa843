//! What validation makes of a query: expressions and typed values, no SQL.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::literal::Literal;
use super::report_query::{Direction, FilterOp, ReportQuery};
use crate::caller::OrgId;
use crate::catalog::{Dataset, Expression};
use crate::column::{Column, ColumnType};
use crate::encode::{Encoder, FileContext, Format};
use crate::source::stored_types::StoredTypes;
use crate::spec::ReportSpec;

/// A validated, organisation-scoped report. Only [`Catalog::plan`](crate::catalog::Catalog::plan) and
/// [`Catalog::plan_spec`](crate::catalog::Catalog::plan_spec) make one.
#[derive(Clone, Debug)]
pub struct ReportPlan {
    pub(super) spec: ReportSpec,
    pub(super) org: OrgId,
    pub(super) dataset: Arc<Dataset>,
    pub(super) columns: Vec<Column>,
    pub(super) expressions: Vec<Expression>,
    pub(super) predicates: Vec<Predicate>,
    pub(super) order: Vec<SortKey>,
    pub(super) stored_types: StoredTypes,
}

impl ReportPlan {
    /// The same plan for a database that has types of its own.
    #[must_use]
    pub fn with_stored_types(mut self, stored_types: StoredTypes) -> Self {
        self.stored_types = stored_types;
        self
    }

    /// What the database makes of the expressions, as far as it was asked.
    #[must_use]
    pub fn stored_types(&self) -> &StoredTypes {
        &self.stored_types
    }

    /// Returns all that decides the bytes of the report's file, which is what a job is stored as.
    #[must_use]
    pub fn spec(&self) -> &ReportSpec {
        &self.spec
    }

    /// The query as it was understood.
    #[must_use]
    pub fn query(&self) -> &ReportQuery {
        &self.spec.query
    }

    /// The file format asked for.
    #[must_use]
    pub fn format(&self) -> Format {
        self.spec.format.format()
    }

    /// Whose rows are read.
    #[must_use]
    pub fn org(&self) -> &OrgId {
        &self.org
    }

    /// The dataset.
    #[must_use]
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// The result's columns, in the order of the request: dimensions, then measures.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// How each of [`columns`](Self::columns) is computed.
    #[must_use]
    pub fn expressions(&self) -> &[Expression] {
        &self.expressions
    }

    /// The conditions, all of which must hold, beside organisation and time range.
    #[must_use]
    pub fn predicates(&self) -> &[Predicate] {
        &self.predicates
    }

    /// The order of rows; empty = unspecified.
    #[must_use]
    pub fn order(&self) -> &[SortKey] {
        &self.order
    }

    /// The most rows; `None` = every row.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.spec.query.limit
    }

    /// Whether a result of so many rows may have been cut by the limit.
    #[must_use]
    pub fn limit_reached(&self, rows: u64) -> bool {
        self.limit() == Some(rows)
    }

    /// The file's name.
    #[must_use]
    pub fn filename(&self) -> &str {
        &self.spec.filename
    }

    /// Makes the encoder of the report's file, of a snapshot taken at `as_of`.
    #[must_use]
    pub fn encoder(&self, as_of: DateTime<Utc>) -> Box<dyn Encoder> {
        self.spec.format.encoder(&FileContext {
            columns: &self.columns,
            as_of,
            formula_guard: self.dataset.formula_guard,
        })
    }
}

/// A typed condition.
#[derive(Clone, Debug)]
pub struct Predicate {
    /// What is compared.
    pub expression: Expression,
    /// Its type; every literal in `test` is of it.
    pub column_type: ColumnType,
    /// The comparison.
    pub test: Test,
}

/// What a condition asks of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// IS NULL.
    IsNull,
    /// IS NOT NULL.
    IsNotNull,
    /// A comparison with one value; never [`FilterOp::In`].
    Compare(FilterOp, Literal),
    /// Equal to one of these, at least one.
    In(Vec<Literal>),
    /// Nothing: no value is what was asked for.
    Never,
}

/// One column of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// Index into [`ReportPlan::columns`].
    pub column: usize,
    /// Direction; NULLs come last in both.
    pub direction: Direction,
}
