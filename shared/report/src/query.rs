//! What is asked: a request as it came, and the plan that validation makes of it.
//!
//! [`ReportRequest`] is an unchecked JSON body. [`Catalog::plan`](crate::catalog::Catalog::plan) is
//! the only way from it to a [`ReportPlan`], and reports every fault at once. A plan knows
//! expressions and typed values, not SQL: that is its [`source`](crate::source)'s.

mod document;
mod error;
mod faults;
mod filter;
mod instant;
mod limits;
mod literal;
mod micros;
mod order;
mod plan;
mod pointer;
mod range;
mod report_query;
mod request;
mod select;
#[cfg(test)]
mod tests;
mod validate;

pub use self::error::{Fault, FaultCode, Rejection};
pub use self::limits::{DEFAULT_LIMIT, MAX_FAULTS, MAX_FILTERS, MAX_IN_VALUES};
pub use self::literal::Literal;
pub(crate) use self::literal::plain_decimal;
pub use self::plan::{Predicate, ReportPlan, SortKey, Test};
pub use self::report_query::{Direction, Filter, FilterOp, OrderBy, ReportQuery, TimeRange};
pub use self::request::ReportRequest;
