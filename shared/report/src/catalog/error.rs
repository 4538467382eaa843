//! What is wrong with a catalog file, and how it is said.
//!
//! Owns the wording of a list of faults. Finding them is for others.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// One mistake in a catalog.
pub use waybill_toml::Fault as CatalogFault;

/// Every mistake in a catalog, by line; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogFaults(Vec<CatalogFault>);

impl CatalogFaults {
    /// Returns `None` when nothing is wrong.
    pub(crate) fn from_found(mut faults: Vec<CatalogFault>) -> Option<Self> {
        faults.sort_by_key(|fault| fault.line);
        (!faults.is_empty()).then_some(Self(faults))
    }

    /// Returns the mistakes, sorted by line.
    pub fn iter(&self) -> impl Iterator<Item = &CatalogFault> {
        self.0.iter()
    }

    /// Returns one line for each mistake, as compilers write them: `FILE:LINE: setting: message`.
    #[must_use]
    pub fn lines(&self, file: &Path) -> Vec<String> {
        self.iter().map(|fault| fault.in_file(file)).collect()
    }
}

impl fmt::Display for CatalogFaults {
    /// One line for each mistake: `line 12: setting: message`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}line {}: {fault}", fault.line)?;
        }
        Ok(())
    }
}

impl Error for CatalogFaults {}

/// Why a catalog file gave no catalog.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The file could not be read as UTF-8 text.
    #[error("{}: cannot be read: {source}", .path.display())]
    Unreadable {
        /// The file, as it was named.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// The file was read and has mistakes. Displays as one line for each: `FILE:LINE: setting: message`.
    #[error("{}", .faults.lines(.path).join("\n"))]
    Faulty {
        /// The file, as it was named.
        path: PathBuf,
        /// All of its mistakes.
        faults: CatalogFaults,
    },
}
