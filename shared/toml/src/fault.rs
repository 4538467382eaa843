//! A mistake in a file, and how it is told.

use std::fmt;
use std::path::Path;

use waybill_telemetry::escaped;

/// One mistake in a file. Displays as `setting: message`, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The 1-based line of the value, of the key, or (for what is missing) of the table.
    pub line: usize,
    /// Dotted path of the setting, such as `datasets.sessions.dimensions.day.type`; empty when the
    /// line is no TOML.
    pub setting: String,
    /// What is wrong, in one line.
    pub message: String,
}

impl Fault {
    /// Makes one of a line that is no TOML.
    pub(crate) fn of_syntax(line: usize, message: String) -> Self {
        Self {
            line,
            setting: String::new(),
            message,
        }
    }

    /// Returns it as compilers write it: `FILE:LINE: setting: message`.
    #[must_use]
    pub fn in_file(&self, file: &Path) -> String {
        format!("{}:{}: {self}", file.display(), self.line)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.setting.is_empty() {
            write!(f, "{}: ", self.setting)?;
        }
        // It may quote what somebody else wrote.
        write!(f, "{}", escaped(&self.message))
    }
}
