//! What can be asked, and asking it: at once, or as a job where the result is not small.

pub(crate) mod catalog;
pub(crate) mod export;
pub(crate) mod query;
