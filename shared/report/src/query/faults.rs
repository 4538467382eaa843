//! Every fault of a request, and how members are looked at without stopping at the first one.

use serde_json::{Map, Value};

use super::error::{Fault, FaultCode, Rejection};
use super::limits::MAX_FAULTS;
use super::pointer::Pointer;
use crate::catalog::{Dataset, Field};

/// The faults of one request, in the order in which they were found.
#[derive(Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    /// Returns how many there are so far.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Rejects a request for them; there is at least one.
    pub(super) fn rejection(self) -> Rejection {
        Rejection::Invalid(self.0)
    }

    /// Notes a fault, unless there are so many that the answer would dwarf the request.
    pub(super) fn add(&mut self, at: &Pointer, code: FaultCode, detail: impl Into<String>) {
        if self.0.len() < MAX_FAULTS {
            self.0.push(Fault::new(at.as_str(), code, detail));
        } else if self.0.len() == MAX_FAULTS {
            let detail = "there are more faults than these";
            self.0.push(Fault::new("", FaultCode::TooManyItems, detail));
        }
    }

    /// Notes a member that is missing or of the wrong JSON type.
    pub(super) fn wrong<T>(&mut self, at: &Pointer, detail: &str) -> Option<T> {
        self.add(at, FaultCode::InvalidRequest, detail);
        None
    }

    /// An object with no other members than these.
    pub(super) fn object<'a>(
        &mut self,
        value: &'a Value,
        at: &Pointer,
        known: &[&str],
    ) -> Option<&'a Map<String, Value>> {
        let Some(members) = value.as_object() else {
            return self.wrong(at, "expected an object");
        };
        for name in members
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
        {
            let detail = format!("unknown member; expected {}", known.join(" "));
            self.add(&at.member(name), FaultCode::InvalidRequest, detail);
        }
        Some(members)
    }

    /// The entries of an optional list, each with its place.
    pub(super) fn list<'a>(
        &mut self,
        members: &'a Map<String, Value>,
        member: &str,
        at: &Pointer,
        most: usize,
    ) -> Vec<(Pointer, &'a Value)> {
        let at = at.member(member);
        match members.get(member) {
            None => Vec::new(),
            Some(Value::Array(entries)) if entries.len() > most => {
                self.add(
                    &at,
                    FaultCode::TooManyItems,
                    format!("at most {most} entries"),
                );
                Vec::new()
            }
            Some(Value::Array(entries)) => entries
                .iter()
                .enumerate()
                .map(|(index, entry)| (at.index(index), entry))
                .collect(),
            Some(_) => self.wrong(&at, "expected an array").unwrap_or_default(),
        }
    }
}

/// Says that a dataset has no field of a name, and which ones it has.
pub(super) fn unknown(kind: &str, name: &str, dataset: &Dataset, fields: &[Field]) -> String {
    let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let known = if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(" ")
    };
    format!(
        "the dataset {} has no {kind} {}; it has {known}",
        dataset.name,
        quoted(name)
    )
}

/// Returns a client's text as it may stand in an answer: quoted, escaped and short.
pub(super) fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(64).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}
