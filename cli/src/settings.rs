//! From a command's flags to settings. What a setting accepts is the configuration's own business.

use std::ffi::OsStr;
use std::path::Path;

use waybill_config::{Config, Flag, Layers, Value};

use crate::error::StartError;

/// What a command line says about settings.
#[derive(Default)]
pub(crate) struct Settings<'a> {
    defaults: Vec<(&'a str, Value)>,
    file: Option<&'a Path>,
    flags: Vec<Flag<'a>>,
}

impl<'a> Settings<'a> {
    /// Those of `--config`, if it was given.
    pub(crate) fn of_file(file: Option<&'a impl AsRef<Path>>) -> Self {
        Self {
            file: file.map(AsRef::as_ref),
            ..Self::default()
        }
    }

    /// With a default that this command has for itself.
    pub(crate) fn or_default(mut self, setting: &'a str, value: &str) -> Self {
        self.defaults.push((setting, Value::from(value)));
        self
    }

    /// With a flag, if it was given.
    pub(crate) fn flag(
        mut self,
        name: &'a str,
        setting: &'a str,
        value: Option<&(impl AsRef<OsStr> + ?Sized)>,
    ) -> Self {
        if let Some(value) = value {
            let value = Value::from(value.as_ref().to_string_lossy().as_ref());
            self.flags.push(Flag {
                name,
                setting,
                value,
            });
        }
        self
    }

    /// All layers together.
    pub(crate) fn load(self) -> Result<Config, StartError> {
        Config::load(Layers {
            command_defaults: &self.defaults,
            file: self.file,
            environment: std::env::vars_os(),
            flags: &self.flags,
        })
        .map_err(StartError::usage)
    }
}
