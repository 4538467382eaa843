//! From defaults, a file, the environment and flags to one [`Config`].
//!
//! Owns the order of the layers and remembers for every setting where it was set. What a setting
//! accepts is for [`super::settings`] to say.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::Config;
use super::fault::{ConfigError, ConfigFault, Origin};
use super::settings::{self, SETTINGS};
use crate::document::{Document, dotted, nearest};

const DEFAULTS: &str = include_str!("../../../config.default.toml");

const VARIABLES: &str = "WAYBILL__";

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

pub(super) fn load<E>(layers: Layers<'_, E>) -> Result<Config, ConfigError>
where
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
    merged.into_config()
}

/// The environment variable of a setting.
pub(super) fn variable(setting: &str) -> String {
    format!("{VARIABLES}{}", setting.replace('.', "__").to_uppercase())
}

/// The variable that was meant by one with another number of underscores somewhere.
fn meant_by(name: &str) -> Option<String> {
    let plain = |name: &str| name.replace('_', "");
    let given = plain(name);
    let mut variables = SETTINGS.iter().map(|setting| variable(setting.path));
    let meant = variables.find(|variable| plain(variable) == given);
    meant.or_else(|| {
        // The name of a source is the operator's own.
        let name = name.strip_prefix("WAYBILL_")?.trim_start_matches('_');
        let name = name.strip_prefix("SOURCES_")?.trim_start_matches('_');
        let name = name
            .strip_suffix("URL")?
            .strip_suffix('_')?
            .trim_end_matches('_');
        (!name.is_empty()).then(|| format!("{VARIABLES}SOURCES__{name}__URL"))
    })
}

fn keys(setting: &str) -> Vec<String> {
    setting.split('.').map(str::to_owned).collect()
}

fn joined(path: &[String]) -> String {
    path.iter()
        .fold(String::new(), |path, key| dotted(&path, key))
}

/// The strongest value of every setting so far, and the mistakes of all layers.
#[derive(Default)]
struct Merged {
    values: BTreeMap<Vec<String>, (Value, Origin)>,
    faults: Vec<ConfigFault>,
}

impl Merged {
    fn fault(&mut self, origin: Origin, setting: String, message: String) {
        self.faults.push(ConfigFault {
            origin: Some(origin),
            setting,
            message,
        });
    }

    fn add_file(&mut self, path: &Path) {
        let origin = |line| Origin::File {
            path: path.to_owned(),
            line,
        };
        match fs::read_to_string(path) {
            Ok(text) => self.add_text(&text, origin),
            Err(error) => {
                let message = format!("cannot be read: {error}");
                self.fault(origin(None), String::new(), message);
            }
        }
    }

    fn add_text(&mut self, text: &str, origin: impl Fn(Option<usize>) -> Origin) {
        let broken = match Document::parse(text) {
            Ok(document) => {
                let origin_of = |span| origin(Some(document.line(&span)));
                self.add_table(&document.table, &[], &origin_of);
                document.duplicates
            }
            Err(broken) => broken,
        };
        for fault in broken {
            self.fault(origin(Some(fault.line)), String::new(), fault.message);
        }
    }

    fn add_table(
        &mut self,
        table: &DeTable<'_>,
        above: &[String],
        origin_of: &impl Fn(std::ops::Range<usize>) -> Origin,
    ) {
        for (key, value) in table {
            let mut path = above.to_vec();
            path.push(key.get_ref().to_string());
            let origin = origin_of(key.span());
            match value.get_ref() {
                DeValue::Table(table) if settings::is_section(&path) => {
                    self.add_table(table, &path, origin_of);
                }
                DeValue::Array(entries) if settings::takes_list(&path) => {
                    // What is no scalar is refused as what is no text.
                    let entry = |entry: &Spanned<DeValue<'_>>| {
                        scalar(entry.get_ref()).unwrap_or(Value::Boolean(false))
                    };
                    self.set(
                        path,
                        Value::Array(entries.iter().map(entry).collect()),
                        origin,
                    );
                }
                value => match scalar(value) {
                    Some(value) => self.set(path, value, origin),
                    None => self.refuse_kind(&path, value.type_str(), origin),
                },
            }
        }
    }

    fn refuse_kind(&mut self, path: &[String], kind: &str, origin: Origin) {
        let message = match settings::find(path) {
            Some(_) => format!("must be a single value, got a value of type {kind}"),
            None => unknown(path),
        };
        self.fault(origin, joined(path), message);
    }

    fn add_variable(&mut self, name: &OsString, value: OsString) {
        let name = name.to_string_lossy();
        let Some(rest) = name.strip_prefix(VARIABLES) else {
            // Others may begin so, too: only what is surely meant for us is a mistake.
            if let Some(meant) = meant_by(&name) {
                let message =
                    format!("two underscores join section and setting; did you mean {meant}?");
                self.fault(
                    Origin::Environment(name.to_string()),
                    String::new(),
                    message,
                );
            }
            return;
        };
        let path: Vec<String> = rest.to_lowercase().split("__").map(str::to_owned).collect();
        let origin = Origin::Environment(name.to_string());
        if let Some(meant) = meant_by(&name).filter(|meant| *meant != name) {
            let message =
                format!("two underscores join section and setting; did you mean {meant}?");
            return self.fault(origin, String::new(), message);
        }
        match value.into_string() {
            // `VARIABLE=` is how compose files and shells write "not set".
            Ok(text) if text.is_empty() && settings::find(&path).is_some() => {}
            Ok(text) => self.set(path, Value::String(text), origin),
            Err(_) => self.fault(origin, joined(&path), "is not UTF-8".to_owned()),
        }
    }

    fn set(&mut self, path: Vec<String>, value: Value, origin: Origin) {
        let Some(setting) = settings::find(&path) else {
            let message = match settings::is_section(&path) {
                true => "is a section of settings, not a setting".to_owned(),
                false => unknown(&path),
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

    fn into_config(mut self) -> Result<Config, ConfigError> {
        self.check_key_pair();
        self.check_auth();
        if let Some(error) = ConfigError::from_found(std::mem::take(&mut self.faults)) {
            return Err(error);
        }
        let mut root = Table::new();
        for (path, (value, _)) in &self.values {
            insert(&mut root, path, value);
        }
        serde_path_to_error::deserialize(Value::Table(root)).map_err(|error| {
            let setting = error.path().to_string();
            let origin = self.origin(&setting).cloned();
            let message = error.into_inner().message().to_owned();
            ConfigError::from(ConfigFault {
                origin,
                setting,
                message,
            })
        })
    }

    fn origin(&self, setting: &str) -> Option<&Origin> {
        self.values.get(&keys(setting)).map(|(_, origin)| origin)
    }

    fn text(&self, setting: &str) -> Option<&str> {
        let (value, _) = self.values.get(&keys(setting))?;
        value.as_str()
    }

    /// Half a key pair would fall back to credentials that nobody meant.
    fn check_key_pair(&mut self) {
        let (id, secret) = ("storage.access_key_id", "storage.secret_access_key");
        for (given, other) in [(id, secret), (secret, id)] {
            let lonely = self.origin(other).is_none();
            if let Some(origin) = self.origin(given).filter(|_| lonely).cloned() {
                let message = format!("is set without {other}; set both or neither");
                self.fault(origin, given.to_owned(), message);
            }
        }
    }

    fn check_auth(&mut self) {
        let open = self.text("auth.mode") == Some("none");
        let listen = self.text("api.listen");
        let address = listen.and_then(|listen| listen.parse::<SocketAddr>().ok());
        let Some(address) = address.filter(|address| open && !address.ip().is_loopback()) else {
            return;
        };
        let message = format!(
            r#"auth.mode = "none" is for loopback addresses only, and api.listen is {address}"#
        );
        // Whoever spoke last made the two contradict each other.
        let last = ["auth.mode", "api.listen"]
            .into_iter()
            .max_by_key(|setting| self.origin(setting));
        if let Some((setting, origin)) = last.and_then(|s| Some((s, self.origin(s)?.clone()))) {
            self.fault(origin, setting.to_owned(), message);
        }
    }
}

fn scalar(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::String(text) => Some(Value::String(text.to_string())),
        DeValue::Integer(number) => {
            // Beyond 64 bits it is out of every range; the range's message is the one to give.
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            Some(Value::Integer(parsed.unwrap_or(i64::MAX)))
        }
        DeValue::Float(number) => number.as_str().parse().ok().map(Value::Float),
        DeValue::Boolean(boolean) => Some(Value::Boolean(*boolean)),
        _ => None,
    }
}

fn unknown(path: &[String]) -> String {
    let sections = SETTINGS
        .iter()
        .filter_map(|setting| setting.path.split_once('.'))
        .map(|(section, _)| section);
    let names = SETTINGS.iter().map(|setting| setting.path).chain(sections);
    match nearest(&path.join("."), names) {
        Some(near) => {
            let near = near.replace('*', path.get(1).map_or("NAME", String::as_str));
            format!("unknown setting; did you mean {near}?")
        }
        None => "unknown setting".to_owned(),
    }
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
