//! A TOML text as a layer of settings: that of `--config`, and the defaults.

use std::fs;
use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Value};
use waybill_toml::Document;

use crate::merged::{Merged, joined};
use crate::origin::Origin;
use crate::settings;

impl Merged {
    pub(super) fn add_file(&mut self, path: &Path) {
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

    pub(super) fn add_text(&mut self, text: &str, origin: impl Fn(Option<usize>) -> Origin) {
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
        origin_of: &impl Fn(Range<usize>) -> Origin,
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
            None => settings::unknown(path),
        };
        self.fault(origin, joined(path), message);
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
