//! What is wrong with the configuration and where it was set, in one line for each mistake.
//!
//! Owns the wording of places. Finding mistakes is the business of [`super::layers`].

use std::fmt;
use std::path::PathBuf;

use waybill_telemetry::escaped;

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

/// One mistake in the configuration. Displays as `ORIGIN: setting: message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// Where it was set; `None` for a setting that is missing.
    pub origin: Option<Origin>,
    /// Dotted path such as `worker.concurrency`; empty when the file cannot be read or is no TOML.
    pub setting: String,
    /// What is wrong, in one line and without secrets.
    pub message: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        if !self.setting.is_empty() {
            write!(f, "{}: ", self.setting)?;
        }
        write!(f, "{}", escaped(&self.message))
    }
}

/// Every mistake in the configuration; never empty. Displays as one line for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(Vec<ConfigFault>);

impl ConfigError {
    /// `None` when nothing is wrong.
    pub(super) fn from_found(faults: Vec<ConfigFault>) -> Option<Self> {
        (!faults.is_empty()).then_some(Self(faults))
    }

    /// A setting that a command cannot do without, and how it can be set.
    pub(super) fn missing(setting: &str) -> Self {
        let variable = super::layers::variable(setting);
        let message = format!("is required: set it in the --config file or as {variable}");
        Self::from(ConfigFault {
            origin: None,
            setting: setting.to_owned(),
            message,
        })
    }

    /// The mistakes, in the order of the layers.
    pub fn faults(&self) -> impl Iterator<Item = &ConfigFault> {
        self.0.iter()
    }
}

impl From<ConfigFault> for ConfigError {
    fn from(fault: ConfigFault) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
