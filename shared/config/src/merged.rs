//! The strongest value of every setting, and every mistake on the way to it.
//!
//! Owns which value is taken. Where values come from is for the layers to know.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use toml::{Table, Value};
use waybill_toml::dotted;

use crate::error::{ConfigError, ConfigFault};
use crate::origin::Origin;
use crate::settings;

/// What the layers came to so far.
#[derive(Default)]
pub(super) struct Merged {
    values: BTreeMap<Vec<String>, (Value, Origin)>,
    faults: Vec<ConfigFault>,
}

impl Merged {
    pub(super) fn fault(&mut self, origin: Origin, setting: String, message: String) {
        self.faults.push(ConfigFault {
            origin: Some(origin),
            setting,
            message,
        });
    }

    /// Takes a value of a layer that is stronger than those before.
    pub(super) fn set(&mut self, path: Vec<String>, value: Value, origin: Origin) {
        let Some(setting) = settings::find(&path) else {
            let message = match settings::is_section(&path) {
                true => "is a section of settings, not a setting".to_owned(),
                false => settings::unknown(&path),
            };
            return self.fault(origin, joined(&path), message);
        };
        if path.iter().any(|key| !is_name(key)) {
            let message = "has a name that is not of lower-case letters, digits and _".to_owned();
            return self.fault(origin, joined(&path), message);
        }
        // A text in a file is a text; elsewhere there is nothing else.
        let value = match (&value, &origin) {
            (Value::String(_), Origin::Default(_) | Origin::File { .. }) => value,
            (Value::String(text), _) => setting.rule.value_of(text),
            _ => value,
        };
        match setting.rule.check(&value) {
            Ok(kept) => {
                self.values.insert(path, (kept, origin));
            }
            Err(message) => self.fault(origin, joined(&path), message),
        }
    }

    /// Returns the settings as their type, once nothing is wrong with any of them.
    pub(super) fn deserialize<T: DeserializeOwned>(self) -> Result<T, ConfigError> {
        if let Some(error) = ConfigError::from_found(self.faults) {
            return Err(error);
        }
        let mut root = Table::new();
        for (path, (value, _)) in &self.values {
            insert(&mut root, path, value);
        }
        serde_path_to_error::deserialize(Value::Table(root)).map_err(|error| {
            let setting = error.path().to_string();
            let origin = self.values.get(&keys(&setting));
            ConfigError::from(ConfigFault {
                origin: origin.map(|(_, origin)| origin.clone()),
                setting,
                message: error.into_inner().message().to_owned(),
            })
        })
    }

    /// Returns where a setting was set.
    pub(super) fn origin(&self, setting: &str) -> Option<&Origin> {
        self.values.get(&keys(setting)).map(|(_, origin)| origin)
    }

    /// Returns the value of a setting that is a text.
    pub(super) fn text(&self, setting: &str) -> Option<&str> {
        let (value, _) = self.values.get(&keys(setting))?;
        value.as_str()
    }
}

/// Returns the keys of a dotted path.
pub(super) fn keys(setting: &str) -> Vec<String> {
    setting.split('.').map(str::to_owned).collect()
}

/// Returns the dotted path of keys, quoted where need be.
pub(super) fn joined(path: &[String]) -> String {
    path.iter()
        .fold(String::new(), |path, key| dotted(&path, key))
}

/// What a source may be called; the rest of a known path is of such names anyway.
fn is_name(key: &str) -> bool {
    let first = |c: char| c.is_ascii_lowercase() || c == '_';
    key.starts_with(first) && key.chars().all(|c| first(c) || c.is_ascii_digit())
}

fn insert(table: &mut Table, path: &[String], value: &Value) {
    match path {
        [] => {}
        [key] => {
            table.insert(key.clone(), value.clone());
        }
        [key, below @ ..] => {
            let entry = table.entry(key.clone());
            let section = entry.or_insert_with(|| Value::Table(Table::new()));
            if let Some(section) = section.as_table_mut() {
                insert(section, below, value);
            }
        }
    }
}
