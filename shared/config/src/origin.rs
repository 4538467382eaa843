//! The places where a setting can be given, and their wording.

use std::fmt;
use std::path::PathBuf;

/// Where a setting was given. A later place wins over an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A line of `config.default.toml`.
    Default(usize),
    /// The command's own defaults.
    Command,
    /// The file of `--config`.
    File {
        /// As it was named.
        path: PathBuf,
        /// 1-based; `None` when it is about the file as a whole.
        line: Option<usize>,
    },
    /// An environment variable, by its name.
    Environment(String),
    /// A flag, by its name: `--listen`.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default(line) => write!(f, "config.default.toml:{line}"),
            Self::Command => f.write_str("default of the command"),
            Self::File { path, line } => {
                write!(f, "{}", path.display())?;
                line.map_or(Ok(()), |line| write!(f, ":{line}"))
            }
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => f.write_str(name),
        }
    }
}
