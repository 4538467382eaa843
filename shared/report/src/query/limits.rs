//! How much one query may ask for, whatever the catalog says.

/// Rows of a report whose query names no limit.
pub const DEFAULT_LIMIT: u64 = 100;
/// The most values of one `in` filter.
pub const MAX_IN_VALUES: usize = 1_000;
/// The most filters of one query.
pub const MAX_FILTERS: usize = 100;
/// The most faults that are told of one request; one more says that there are more.
pub const MAX_FAULTS: usize = 1_000;
