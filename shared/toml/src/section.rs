//! One table of a file, read key by key; whatever does not fit is a fault with its line.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::document::Document;
use crate::fault::Fault;
use crate::name::{dotted, nearest};

/// What a text must look like; the error is the fault's message.
pub type Rule = fn(&str) -> Result<(), String>;

/// The mistakes found in a document so far.
#[derive(Debug)]
pub struct Faults<'a> {
    document: &'a Document<'a>,
    found: Vec<Fault>,
}

impl<'a> Faults<'a> {
    /// Begins a list of none.
    #[must_use]
    pub fn of(document: &'a Document<'a>) -> Self {
        Self {
            document,
            found: Vec::new(),
        }
    }

    /// Adds a mistake at the line on which the span begins.
    pub fn push(&mut self, span: Range<usize>, setting: &str, message: impl Into<String>) {
        self.found.push(Fault {
            line: self.document.line(&span),
            setting: setting.to_owned(),
            message: message.into(),
        });
    }

    /// Returns the mistakes in the order in which they were found.
    #[must_use]
    pub fn into_found(self) -> Vec<Fault> {
        self.found
    }
}

/// A table and where it stands.
#[derive(Debug)]
pub struct Section<'a, 't> {
    /// The table's own key; empty for the root.
    pub name: &'a str,
    /// The dotted path from the root, the name included.
    pub path: String,
    span: Range<usize>,
    table: &'a DeTable<'t>,
}

impl<'a, 't> Section<'a, 't> {
    /// Returns the document's own table.
    #[must_use]
    pub fn root(document: &'a Document<'t>) -> Self {
        Self {
            name: "",
            path: String::new(),
            span: 0..0,
            table: &document.table,
        }
    }

    /// Returns where the section's key stands, which is its header line.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Returns whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Returns whether there is such a key.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Returns whether the key's value is a table.
    #[must_use]
    pub fn is_table(&self, key: &str) -> bool {
        self.value(key).is_some_and(DeValue::is_table)
    }

    /// Returns whether the key's value is a table without a key.
    #[must_use]
    pub fn is_empty_table(&self, key: &str) -> bool {
        let table = self.value(key).and_then(DeValue::as_table);
        table.is_some_and(DeTable::is_empty)
    }

    /// Returns the dotted path of a key.
    #[must_use]
    pub fn at(&self, key: &str) -> String {
        dotted(&self.path, key)
    }

    /// Returns where a key stands or, without it, the section.
    #[must_use]
    pub fn key_span(&self, key: &str) -> Range<usize> {
        let entry = self.table.get_key_value(key);
        entry.map_or_else(|| self.span(), |(key, _)| key.span())
    }

    /// Returns where a key's value stands or, without it, the section.
    #[must_use]
    pub fn value_span(&self, key: &str) -> Range<usize> {
        let value = self.table.get(key);
        value.map_or_else(|| self.span(), Spanned::span)
    }

    /// Finds fault with a missing key; the hint says what it is for.
    pub fn require(&self, key: &str, hint: &str, faults: &mut Faults<'_>) {
        if !self.has(key) {
            faults.push(self.span(), &self.at(key), format!("is required: {hint}"));
        }
    }

    /// Holds the section's own name against a rule.
    pub fn check_key(&self, rule: Rule, faults: &mut Faults<'_>) {
        if let Err(message) = rule(self.name) {
            faults.push(self.span(), &self.path, message);
        }
    }

    /// Finds fault with every other key.
    pub fn refuse_unknown(&self, known: &[&str], faults: &mut Faults<'_>) {
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

    /// Returns the table under a key.
    pub fn subsection(&self, key: &str, faults: &mut Faults<'_>) -> Option<Section<'a, 't>> {
        let (key, value) = self.table.get_key_value(key)?;
        self.enter(key.get_ref(), key.span(), value, faults)
    }

    /// Returns the table under every key, in the order of the file.
    pub fn subsections(&self, faults: &mut Faults<'_>) -> Vec<Section<'a, 't>> {
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

    /// Returns the keys of a subsection: path, name, and where. No faults: it may not be a table.
    #[must_use]
    pub fn keys_of(&self, key: &str) -> Vec<(String, &'a str, Range<usize>)> {
        let path = self.at(key);
        let table = self.value(key).and_then(DeValue::as_table);
        let keys = table.into_iter().flat_map(DeTable::keys);
        keys.map(|key| {
            let name: &str = key.get_ref();
            (dotted(&path, name), name, key.span())
        })
        .collect()
    }

    /// Returns a text that is not blank.
    pub fn text(&self, key: &str, faults: &mut Faults<'_>) -> Option<String> {
        let value = self.table.get(key)?;
        text_of(value, &self.at(key), faults)
    }

    /// Returns a text that a rule accepts.
    pub fn checked(&self, key: &str, rule: Rule, faults: &mut Faults<'_>) -> Option<String> {
        let text = self.text(key, faults)?;
        match rule(&text) {
            Ok(()) => Some(text),
            Err(message) => {
                faults.push(self.value_span(key), &self.at(key), message);
                None
            }
        }
    }

    /// Returns an array of texts, each with where it stands.
    pub fn texts(&self, key: &str, faults: &mut Faults<'_>) -> Option<Vec<(String, Range<usize>)>> {
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

    /// Returns `true` or `false`.
    pub fn boolean(&self, key: &str, faults: &mut Faults<'_>) -> Option<bool> {
        let value = self.table.get(key)?;
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            let message = wrong_kind("boolean", value.get_ref());
            faults.push(value.span(), &self.at(key), message);
        }
        boolean
    }

    /// Returns a number without a fraction.
    pub fn integer(&self, key: &str, faults: &mut Faults<'_>) -> Option<i128> {
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
