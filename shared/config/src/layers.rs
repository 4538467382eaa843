//! Where settings come from, and which of two values wins.
//!
//! Owns the order of the layers. What a setting accepts is for the sections to say.

use std::ffi::OsString;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Value;

use crate::error::ConfigError;
use crate::merged::{Merged, keys};
use crate::origin::Origin;

const DEFAULTS: &str = include_str!("../../../config.default.toml");

/// Where settings come from, the weakest first.
#[derive(Clone, Debug)]
pub struct Layers<'a, E> {
    /// Dotted paths and values that stand over `config.default.toml` for one command.
    pub command_defaults: &'a [(&'a str, Value)],
    /// The file of `--config`.
    pub file: Option<&'a Path>,
    /// All variables of the environment, `std::env::vars_os()`; those that do not begin with
    /// `WAYBILL__` are not looked at.
    pub environment: E,
    /// Flags that were given.
    pub flags: &'a [Flag<'a>],
}

/// A flag of the command line that stands for a setting.
#[derive(Clone, Debug)]
pub struct Flag<'a> {
    /// As it is typed: `--listen`.
    pub name: &'a str,
    /// Dotted path of the setting: `api.listen`.
    pub setting: &'a str,
    /// What was given; a text is read as the kind that the setting wants.
    pub value: Value,
}

/// Reads and merges the layers into the type of all settings.
///
/// # Errors
/// Every mistake of every layer, also of values that a later layer replaces.
pub(super) fn load<C, E>(layers: Layers<'_, E>) -> Result<C, ConfigError>
where
    C: DeserializeOwned,
    E: IntoIterator<Item = (OsString, OsString)>,
{
    let mut merged = Merged::default();
    merged.add_text(DEFAULTS, |line| Origin::Default(line.unwrap_or_default()));
    for (setting, value) in layers.command_defaults {
        merged.set(keys(setting), value.clone(), Origin::Command);
    }
    if let Some(path) = layers.file {
        merged.add_file(path);
    }
    // Sorted, so that the same mistakes are reported in the same order.
    let mut variables: Vec<_> = layers.environment.into_iter().collect();
    variables.sort();
    for (name, value) in variables {
        merged.add_variable(&name, value);
    }
    for flag in layers.flags {
        let origin = Origin::Flag(flag.name.to_owned());
        merged.set(keys(flag.setting), flag.value.clone(), origin);
    }
    merged.check_agreement();
    merged.deserialize()
}
