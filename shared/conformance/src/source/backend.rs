//! What an engine brings to be tried.

use std::sync::Arc;

use waybill_report::source::Source;

/// An empty database with the table `things`, whose columns are `org at s i f d b day u j`.
pub trait Backend: Sync {
    /// Runs SQL as the owner of the data, beside the source.
    fn execute(&self, sql: &str);

    /// The source under test.
    fn source(&self) -> Arc<dyn Source>;

    /// A text as a value of the column `j`.
    fn document(text: &str) -> String;

    /// A row of `things` with a value that a report has no place for, and its column.
    const UNFIT: (&'static str, &'static str);
}
