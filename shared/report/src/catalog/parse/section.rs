//! One table of a catalog file, read key by key; whatever does not fit is a fault with its line.
//!
//! Knows TOML's kinds and where things stand, and nothing of what a dataset is.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use waybill_config::document::{Document, dotted, nearest};

use super::CatalogFault;

/// What a text must look like; the error is the fault's message.
pub(super) type Rule = fn(&str) -> Result<(), String>;

/// The faults found so far.
pub(super) struct Faults<'a> {
    document: &'a Document<'a>,
    found: Vec<CatalogFault>,
}

impl<'a> Faults<'a> {
    pub(super) fn of(document: &'a Document<'a>) -> Self {
        Self {
            document,
            found: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, span: Range<usize>, setting: &str, message: impl Into<String>) {
        self.found.push(CatalogFault {
            line: self.document.line(&span),
            setting: setting.to_owned(),
            message: message.into(),
        });
    }

    pub(super) fn into_found(self) -> Vec<CatalogFault> {
        self.found
    }
}

/// A table and where it stands.
pub(super) struct Section<'a, 't> {
    /// The table's own key; empty for the root.
    pub(super) name: &'a str,
    /// The dotted path from the root, the name included.
    pub(super) path: String,
    span: Range<usize>,
    table: &'a DeTable<'t>,
}

impl<'a, 't> Section<'a, 't> {
    pub(super) fn root(document: &'a Document<'t>) -> Self {
        Self {
            name: "",
            path: String::new(),
            span: 0..0,
            table: &document.table,
        }
    }

    /// Where the section's key stands, which is its header line.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(super) fn is_table(&self, key: &str) -> bool {
        self.value(key).is_some_and(DeValue::is_table)
    }

    pub(super) fn is_empty_table(&self, key: &str) -> bool {
        let table = self.value(key).and_then(DeValue::as_table);
        table.is_some_and(DeTable::is_empty)
    }

    /// The dotted path of a key.
    pub(super) fn at(&self, key: &str) -> String {
        dotted(&self.path, key)
    }

    pub(super) fn key_span(&self, key: &str) -> Range<usize> {
        let entry = self.table.get_key_value(key);
        entry.map_or_else(|| self.span(), |(key, _)| key.span())
    }

    pub(super) fn value_span(&self, key: &str) -> Range<usize> {
        let value = self.table.get(key);
        value.map_or_else(|| self.span(), Spanned::span)
    }

    pub(super) fn require(&self, key: &str, hint: &str, faults: &mut Faults<'_>) {
        if !self.has(key) {
            faults.push(self.span(), &self.at(key), format!("is required: {hint}"));
        }
    }

    /// Holds the section's own name against a rule.
    pub(super) fn check_key(&self, rule: Rule, faults: &mut Faults<'_>) {
        if let Err(message) = rule(self.name) {
            faults.push(self.span(), &self.path, message);
        }
    }

    pub(super) fn refuse_unknown(&self, known: &[&str], faults: &mut Faults<'_>) {
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let message = match nearest(name, known.iter().copied()) {
                    Some(near) => format!("unknown key; did you mean {near}?"),
                    None => format!("unknown key; one of {}", known.join(", ")),
                };
                faults.push(key.span(), &self.at(name), message);
            }
        }
    }

    pub(super) fn subsection(&self, key: &str, faults: &mut Faults<'_>) -> Option<Section<'a, 't>> {
        let (key, value) = self.table.get_key_value(key)?;
        self.enter(key.get_ref(), key.span(), value, faults)
    }

    /// Every key as a subsection, in the order of the file.
    pub(super) fn subsections(&self, faults: &mut Faults<'_>) -> Vec<Section<'a, 't>> {
        self.table
            .iter()
            .filter_map(|(key, value)| self.enter(key.get_ref(), key.span(), value, faults))
            .collect()
    }

    fn enter(
        &self,
        name: &'a str,
        span: Range<usize>,
        value: &'a Spanned<DeValue<'t>>,
        faults: &mut Faults<'_>,
    ) -> Option<Section<'a, 't>> {
        let path = self.at(name);
        let Some(table) = value.get_ref().as_table() else {
            let message = wrong_kind("table", value.get_ref());
            faults.push(value.span(), &path, message);
            return None;
        };
        Some(Section {
            name,
            path,
            span,
            table,
        })
    }

    /// The columns that a subsection names: path, name, and where. No faults: it may not be a table.
    pub(super) fn columns(&self, key: &str) -> Vec<(String, &'a str, Range<usize>)> {
        let path = self.at(key);
        let table = self.value(key).and_then(DeValue::as_table);
        let keys = table.into_iter().flat_map(DeTable::keys);
        keys.map(|key| {
            let name: &str = key.get_ref();
            (dotted(&path, name), name, key.span())
        })
        .collect()
    }

    /// A text that is not blank.
    pub(super) fn text(&self, key: &str, faults: &mut Faults<'_>) -> Option<String> {
        let value = self.table.get(key)?;
        text_of(value, &self.at(key), faults)
    }

    /// A text that a rule accepts.
    pub(super) fn checked(&self, key: &str, rule: Rule, faults: &mut Faults<'_>) -> Option<String> {
        let text = self.text(key, faults)?;
        match rule(&text) {
            Ok(()) => Some(text),
            Err(message) => {
                faults.push(self.value_span(key), &self.at(key), message);
                None
            }
        }
    }

    /// An array of texts, each with where it stands.
    pub(super) fn texts(
        &self,
        key: &str,
        faults: &mut Faults<'_>,
    ) -> Option<Vec<(String, Range<usize>)>> {
        let value = self.table.get(key)?;
        let path = self.at(key);
        let Some(array) = value.get_ref().as_array() else {
            let message = wrong_kind("array of strings", value.get_ref());
            faults.push(value.span(), &path, message);
            return None;
        };
        let texts: Vec<_> = array
            .iter()
            .filter_map(|item| Some((text_of(item, &path, faults)?, item.span())))
            .collect();
        // An item of the wrong kind is a fault already; the array is not empty on top of it.
        (texts.is_empty() == array.is_empty()).then_some(texts)
    }

    pub(super) fn boolean(&self, key: &str, faults: &mut Faults<'_>) -> Option<bool> {
        let value = self.table.get(key)?;
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            let message = wrong_kind("boolean", value.get_ref());
            faults.push(value.span(), &self.at(key), message);
        }
        boolean
    }

    pub(super) fn integer(&self, key: &str, faults: &mut Faults<'_>) -> Option<i128> {
        let value = self.table.get(key)?;
        let Some(integer) = value.get_ref().as_integer() else {
            let message = wrong_kind("integer", value.get_ref());
            faults.push(value.span(), &self.at(key), message);
            return None;
        };
        let parsed = i128::from_str_radix(integer.as_str(), integer.radix());
        if parsed.is_err() {
            let message = format!("{integer} is too large");
            faults.push(value.span(), &self.at(key), message);
        }
        parsed.ok()
    }

    fn value(&self, key: &str) -> Option<&'a DeValue<'t>> {
        self.table.get(key).map(Spanned::get_ref)
    }
}

fn text_of(value: &Spanned<DeValue<'_>>, path: &str, faults: &mut Faults<'_>) -> Option<String> {
    match value.get_ref().as_str() {
        Some(text) if text.trim().is_empty() => {
            faults.push(value.span(), path, "must not be empty");
            None
        }
        Some(text) => Some(text.to_owned()),
        None => {
            let message = wrong_kind("string", value.get_ref());
            faults.push(value.span(), path, message);
            None
        }
    }
}

fn wrong_kind(wanted: &str, got: &DeValue<'_>) -> String {
    let article = |kind: &str| match kind.starts_with(['a', 'i']) {
        true => "an",
        false => "a",
    };
    let kind = got.type_str();
    format!(
        "must be {} {wanted}, got {} {kind}",
        article(wanted),
        article(kind)
    )
}
