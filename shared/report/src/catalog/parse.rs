//! From the text of a catalog file to a [`Catalog`], or to every mistake in it at once.
//!
//! Owns the shape of the file: which keys there are, which are required, which exclude each other.
//! It cannot know whether a table or a column exists; only the source can tell.

pub(super) mod rules;
mod section;

use std::sync::Arc;

use std::fs;
use std::path::Path;

use crate::column::ColumnType;

use super::fault::{CatalogError, CatalogFault, CatalogFaults};
use super::{Catalog, Dataset, Expression, Field, Grain, InstantForm, Relation};
use section::{Faults, Section};
use waybill_config::document::{Document, SyntaxFault};

/// The roles an API key can have, so the ones that a dataset can be given to.
const ROLES: [&str; 2] = ["viewer", "admin"];

/// The column of a report without measures; a dataset cannot have another of this name.
pub(super) const ROW_COUNT: &str = "row_count";

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
const FIELD_KEYS: [&str; 6] = ["sql", "type", "description", "sqlite", "postgres", "form"];
const EXPRESSION_KEYS: [&str; 4] = ["sql", "sqlite", "postgres", "form"];

impl Catalog {
    /// Reads the text of a catalog file.
    ///
    /// # Errors
    /// [`CatalogFaults`] with every mistake and its line. When a line is no TOML, only such lines
    /// are reported, because what follows from them cannot be told from a mistake.
    pub fn parse(text: &str) -> Result<Self, CatalogFaults> {
        let (catalog, found) = match Document::parse(text) {
            Ok(document) => judge(&document),
            Err(broken) => (Self::default(), broken.into_iter().map(syntax).collect()),
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

fn syntax(fault: SyntaxFault) -> CatalogFault {
    CatalogFault {
        line: fault.line,
        setting: String::new(),
        message: fault.message,
    }
}

fn judge(document: &Document<'_>) -> (Catalog, Vec<CatalogFault>) {
    let mut faults = Faults::of(document);
    let root = Section::root(document);
    root.refuse_unknown(&["datasets"], &mut faults);
    let mut catalog = Catalog {
        lines: document.key_lines(),
        ..Catalog::default()
    };
    let datasets = root.subsection("datasets", &mut faults);
    match &datasets {
        Some(datasets) if datasets.is_empty() => {
            faults.push(datasets.span(), &datasets.path, "has no dataset");
        }
        _ => root.require("datasets", "what can be reported on", &mut faults),
    }
    let sections = datasets.map(|all| all.subsections(&mut faults));
    for section in sections.unwrap_or_default() {
        if let Some(dataset) = dataset(&section, &mut faults) {
            catalog
                .datasets
                .insert(dataset.name.clone(), Arc::new(dataset));
        }
    }
    let mut found = faults.into_found();
    found.extend(document.duplicates.iter().cloned().map(syntax));
    (catalog, found)
}

/// Looks at all of a dataset before it gives up on it, so that no fault hides another.
fn dataset(section: &Section<'_, '_>, faults: &mut Faults<'_>) -> Option<Dataset> {
    section.refuse_unknown(&DATASET_KEYS, faults);
    section.check_key(rules::name, faults);

    let description = section.text("description", faults);
    let source = match section.has("source") {
        true => section.checked("source", rules::name, faults),
        false => Some("default".to_owned()),
    };
    let relation = relation(section, faults);
    let grain = grain(section, faults);
    let tenant = tenant(section, faults);
    section.require("time", "the column that time_range applies to", faults);
    let time = section.expression("time", faults);
    let updated = section.expression("updated", faults);
    let max_range_days = max_range_days(section, faults);
    let roles = roles(section, faults);
    let formula_guard = match section.has("formula_guard") {
        true => section.boolean("formula_guard", faults),
        false => Some(true),
    };

    let dimensions = section.fields("dimensions", faults);
    let measures = section.fields("measures", faults);
    let filters = match section.has("filters") {
        true => section.fields("filters", faults),
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
            .checked("table", rules::table, faults)
            .map(Relation::Table),
        (false, true) => section
            .checked("sql", rules::sql, faults)
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
        (false, true) => section.checked("tenant", rules::column, faults).map(Some),
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
    let dimensions = section.columns("dimensions");
    let measures = section.columns("measures");
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

impl Section<'_, '_> {
    /// The fields of a subsection, in the order of the file.
    fn fields(&self, key: &str, faults: &mut Faults<'_>) -> Vec<Field> {
        let Some(section) = self.subsection(key, faults) else {
            return Vec::new();
        };
        let fields = section.subsections(faults);
        fields
            .iter()
            .filter_map(|field| field.field(faults))
            .collect()
    }

    fn field(&self, faults: &mut Faults<'_>) -> Option<Field> {
        self.refuse_unknown(&FIELD_KEYS, faults);
        self.check_key(rules::name, faults);
        let description = self.text("description", faults);
        let expression = self.texts_of_expression(faults);
        let column_type = self.column_type(faults);
        if self.has("form") && column_type.is_some_and(|of| of != ColumnType::Timestamp) {
            let message = "is for fields of type timestamp";
            faults.push(self.key_span("form"), &self.at("form"), message);
        }
        Some(Field {
            name: self.name.to_owned(),
            description,
            column_type: column_type?,
            expression: expression?,
        })
    }

    fn column_type(&self, faults: &mut Faults<'_>) -> Option<ColumnType> {
        let names = || ColumnType::ALL.map(ColumnType::name).join(", ");
        self.require("type", &format!("one of {}", names()), faults);
        let text = self.text("type", faults)?;
        let found = ColumnType::ALL.into_iter().find(|t| t.name() == text);
        if found.is_none() {
            let message = format!("unknown type {text:?}; one of {}", names());
            faults.push(self.value_span("type"), &self.at("type"), message);
        }
        found
    }

    fn instant_form(&self, faults: &mut Faults<'_>) -> Option<InstantForm> {
        let text = self.text("form", faults)?;
        let found = InstantForm::ALL
            .into_iter()
            .find(|form| form.name() == text);
        if found.is_none() {
            let names = InstantForm::ALL.map(InstantForm::name).join(", ");
            let message = format!("unknown form {text:?}; one of {names}");
            faults.push(self.value_span("form"), &self.at("form"), message);
        }
        found
    }

    /// An expression that is one text, or a table with a text for each dialect.
    fn expression(&self, key: &str, faults: &mut Faults<'_>) -> Option<Expression> {
        if self.is_table(key) {
            let section = self.subsection(key, faults)?;
            section.refuse_unknown(&EXPRESSION_KEYS, faults);
            return section.texts_of_expression(faults);
        }
        Some(Expression {
            sql: self.checked(key, rules::sql, faults)?,
            sqlite: None,
            postgres: None,
            form: None,
        })
    }

    fn texts_of_expression(&self, faults: &mut Faults<'_>) -> Option<Expression> {
        self.require("sql", "an SQL expression", faults);
        let sql = self.checked("sql", rules::sql, faults);
        let sqlite = self.checked("sqlite", rules::sql, faults);
        let postgres = self.checked("postgres", rules::sql, faults);
        let form = self.instant_form(faults);
        Some(Expression {
            sql: sql?,
            sqlite,
            postgres,
            form,
        })
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
