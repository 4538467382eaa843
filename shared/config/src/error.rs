//! What is wrong with the configuration and where it was set, in one line for each mistake.
//!
//! Owns how they are told. Finding them is for others.

use std::fmt;

use waybill_telemetry::escaped;

use crate::origin::Origin;

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
    /// Returns `None` when nothing is wrong.
    pub(super) fn from_found(faults: Vec<ConfigFault>) -> Option<Self> {
        (!faults.is_empty()).then_some(Self(faults))
    }

    /// Returns the mistakes, in the order of the layers.
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
