//! From the text of a catalog file to a [`Catalog`], or to every mistake in it at once.
//!
//! Owns the shape of the file: which keys there are, which are required, which exclude each other.
//! It cannot know whether a table or a column exists; only the source can tell.

use std::fs;
use std::path::Path;

use waybill_toml::{Document, Faults, Section};

use super::error::{CatalogError, CatalogFault, CatalogFaults};
use super::field::{expression, fields};
use super::model::{Catalog, Dataset, Grain, ROW_COUNT, Relation};
use super::{name, sql};

/// The roles an API key can have, so the ones that a dataset can be given to.
const ROLES: [&str; 2] = ["viewer", "admin"];

/// A hundred years: more is a slip of the finger.
const MAX_RANGE_DAYS: u32 = 36_600;

const DATASET_KEYS: [&str; 15] = [
    "description",
    "source",
    "table",
    "sql",
    "grain",
    "tenant",
    "shared",
    "time",
    "updated",
    "max_range_days",
    "roles",
    "formula_guard",
    "dimensions",
    "measures",
    "filters",
];
impl Catalog {
    /// Reads the text of a catalog file.
    ///
    /// # Errors
    /// [`CatalogFaults`] with every mistake and its line. When a line is no TOML, only such lines
    /// are reported, because what follows from them cannot be told from a mistake.
    pub fn parse(text: &str) -> Result<Self, CatalogFaults> {
        let (catalog, found) = match Document::parse(text) {
            Ok(document) => judge(&document),
            Err(broken) => (Self::default(), broken),
        };
        match CatalogFaults::from_found(found) {
            None => Ok(catalog),
            Some(faults) => Err(faults),
        }
    }

    /// Reads a catalog file.
    ///
    /// # Errors
    /// [`CatalogError`], which displays as `FILE:LINE: setting: message`, one line for each mistake.
    pub fn read(path: &Path) -> Result<Self, CatalogError> {
        let text = fs::read_to_string(path).map_err(|source| CatalogError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text).map_err(|faults| CatalogError::Faulty {
            path: path.to_owned(),
            faults,
        })
    }
}

fn judge(document: &Document<'_>) -> (Catalog, Vec<CatalogFault>) {
    let mut faults = Faults::of(document);
    let root = Section::root(document);
    root.refuse_unknown(&["datasets"], &mut faults);
    let datasets = root.subsection("datasets", &mut faults);
    match &datasets {
        Some(datasets) if datasets.is_empty() => {
            faults.push(datasets.span(), &datasets.path, "has no dataset");
        }
        _ => root.require("datasets", "what can be reported on", &mut faults),
    }
    let sections = datasets.map(|all| all.subsections(&mut faults));
    let datasets = sections
        .unwrap_or_default()
        .iter()
        .filter_map(|section| dataset(section, &mut faults))
        .collect();
    let mut found = faults.into_found();
    found.extend(document.duplicates.iter().cloned());
    (Catalog::new(datasets, document.key_lines()), found)
}

/// Looks at all of a dataset before it gives up on it, so that no fault hides another.
fn dataset(section: &Section<'_, '_>, faults: &mut Faults<'_>) -> Option<Dataset> {
    section.refuse_unknown(&DATASET_KEYS, faults);
    section.check_key(name::wire, faults);

    let description = section.text("description", faults);
    let source = match section.has("source") {
        true => section.checked("source", name::wire, faults),
        false => Some("default".to_owned()),
    };
    let relation = relation(section, faults);
    let grain = grain(section, faults);
    let tenant = tenant(section, faults);
    section.require("time", "the column that time_range applies to", faults);
    let time = expression(section, "time", faults);
    let updated = expression(section, "updated", faults);
    let max_range_days = max_range_days(section, faults);
    let roles = roles(section, faults);
    let formula_guard = match section.has("formula_guard") {
        true => section.boolean("formula_guard", faults),
        false => Some(true),
    };

    let dimensions = fields(section, "dimensions", faults);
    let measures = fields(section, "measures", faults);
    let filters = match section.has("filters") {
        true => fields(section, "filters", faults),
        false => dimensions.clone(),
    };
    check_columns(section, grain, faults);

    Some(Dataset {
        name: section.name.to_owned(),
        description,
        source: source?,
        relation: relation?,
        grain: grain?,
        tenant: tenant?,
        time: time?,
        updated,
        max_range_days,
        roles,
        formula_guard: formula_guard?,
        dimensions,
        measures,
        filters,
    })
}

fn relation(section: &Section<'_, '_>, faults: &mut Faults<'_>) -> Option<Relation> {
    match (section.has("table"), section.has("sql")) {
        (true, false) => section
            .checked("table", name::table, faults)
            .map(Relation::Table),
        (false, true) => section
            .checked("sql", sql::check, faults)
            .map(Relation::Sql),
        (true, true) => {
            let message = "excludes table: a dataset reads one of the two";
            faults.push(section.key_span("sql"), &section.at("sql"), message);
            None
        }
        (false, false) => {
            section.require("table", "or sql, a SELECT", faults);
            None
        }
    }
}

fn grain(section: &Section<'_, '_>, faults: &mut Faults<'_>) -> Option<Grain> {
    section.require("grain", r#""aggregate" or "row""#, faults);
    let text = section.text("grain", faults)?;
    match text.as_str() {
        "aggregate" => Some(Grain::Aggregate),
        "row" => Some(Grain::Row),
        _ => {
            let message = format!(r#"unknown grain {text:?}; one of "aggregate", "row""#);
            faults.push(section.value_span("grain"), &section.at("grain"), message);
            None
        }
    }
}

/// The outer `None` is a fault; the inner one is a dataset that all organisations share.
fn tenant(section: &Section<'_, '_>, faults: &mut Faults<'_>) -> Option<Option<String>> {
    let shared = match section.has("shared") {
        true => section.boolean("shared", faults)?,
        false => false,
    };
    match (shared, section.has("tenant")) {
        (false, true) => section.checked("tenant", name::column, faults).map(Some),
        (true, false) => Some(None),
        (true, true) => {
            let message = "excludes shared = true: a shared dataset has no organisation";
            faults.push(section.key_span("tenant"), &section.at("tenant"), message);
            None
        }
        (false, false) => {
            let hint = "the column that holds the organisation, or else shared = true";
            section.require("tenant", hint, faults);
            None
        }
    }
}

fn max_range_days(section: &Section<'_, '_>, faults: &mut Faults<'_>) -> Option<u32> {
    let days = section.integer("max_range_days", faults)?;
    let allowed = u32::try_from(days)
        .ok()
        .filter(|days| (1..=MAX_RANGE_DAYS).contains(days));
    if allowed.is_none() {
        let message = format!("must be between 1 and {MAX_RANGE_DAYS}, got {days}");
        let span = section.value_span("max_range_days");
        faults.push(span, &section.at("max_range_days"), message);
    }
    allowed
}

fn roles(section: &Section<'_, '_>, faults: &mut Faults<'_>) -> Vec<String> {
    let Some(roles) = section.texts("roles", faults) else {
        return Vec::new();
    };
    let path = section.at("roles");
    if roles.is_empty() {
        let message = "must name a role; leave it out to allow every role";
        faults.push(section.value_span("roles"), &path, message);
    }
    let mut named: Vec<String> = Vec::new();
    for (role, span) in roles {
        if !ROLES.contains(&role.as_str()) {
            let message = format!("unknown role {role:?}; one of {}", ROLES.join(", "));
            faults.push(span, &path, message);
        } else if named.contains(&role) {
            faults.push(span, &path, format!("names {role} twice"));
        } else {
            named.push(role);
        }
    }
    named
}

/// What must hold between the columns of a dataset.
fn check_columns(section: &Section<'_, '_>, grain: Option<Grain>, faults: &mut Faults<'_>) {
    let dimensions = section.keys_of("dimensions");
    let measures = section.keys_of("measures");
    for (path, name, span) in dimensions.iter().chain(&measures) {
        if *name == ROW_COUNT {
            let message = "is reserved for the number of rows; choose another name";
            faults.push(span.clone(), path, message);
        }
    }
    for (path, name, span) in &measures {
        if dimensions.iter().any(|(_, dimension, _)| dimension == name) {
            let message = "is also a dimension; columns of a dataset need different names";
            faults.push(span.clone(), path, message);
        }
    }
    if grain != Some(Grain::Row) {
        return;
    }
    if !measures.is_empty() {
        let message = r#"must be empty with grain = "row": rows are copied, not computed"#;
        faults.push(
            section.key_span("measures"),
            &section.at("measures"),
            message,
        );
    }
    section.require("dimensions", "a row dataset copies its dimensions", faults);
    if section.is_empty_table("dimensions") {
        let message = r#"must not be empty with grain = "row": they are what is copied"#;
        let span = section.key_span("dimensions");
        faults.push(span, &section.at("dimensions"), message);
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
