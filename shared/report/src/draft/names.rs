//! From a database's names to those of a catalog, no two of them alike.

use std::collections::HashSet;

use crate::catalog::ROW_COUNT;
use crate::source::tables::words_of;

/// Leaves room for what is put before and behind a name.
const LENGTH: usize = 45;

/// The names that are taken.
#[derive(Debug)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// Of datasets.
    pub(super) fn new() -> Self {
        Self(HashSet::new())
    }

    /// Of the columns of a dataset.
    pub(super) fn of_columns() -> Self {
        Self(HashSet::from([ROW_COUNT.to_owned()]))
    }

    /// Takes this name, or the first like it that is free.
    pub(super) fn take(&mut self, name: &str) -> String {
        let mut free = name.to_owned();
        let mut number = 1;
        while !self.0.insert(free.clone()) {
            number += 1;
            free = format!("{name}_{number}");
        }
        free
    }
}

/// The name on the wire: `snake_case`, and never empty.
pub(super) fn wire_name(name: &str, fallback: &str) -> String {
    let mut wire = words_of(name).join("_");
    wire.truncate(LENGTH);
    match wire.chars().next() {
        None => fallback.to_owned(),
        Some('0'..='9') => format!("{fallback}_{wire}"),
        Some(_) => wire,
    }
}
