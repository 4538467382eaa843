//! The fields of a dataset and their expressions, read from a catalog file.

use std::str::FromStr;

use strum::VariantNames;
use waybill_toml::{Faults, Section};

use super::expression::Expression;
use super::model::Field;
use super::{name, sql};
use crate::column::ColumnType;

const FIELD_KEYS: [&str; 6] = ["sql", "type", "description", "sqlite", "postgres", "form"];
const EXPRESSION_KEYS: [&str; 4] = ["sql", "sqlite", "postgres", "form"];

/// Reads the fields of a subsection, in the order of the file.
pub(super) fn fields(section: &Section<'_, '_>, key: &str, faults: &mut Faults<'_>) -> Vec<Field> {
    let Some(section) = section.subsection(key, faults) else {
        return Vec::new();
    };
    let fields = section.subsections(faults);
    fields
        .iter()
        .filter_map(|section| field(section, faults))
        .collect()
}

fn field(section: &Section<'_, '_>, faults: &mut Faults<'_>) -> Option<Field> {
    section.refuse_unknown(&FIELD_KEYS, faults);
    section.check_key(name::wire, faults);
    let description = section.text("description", faults);
    let expression = texts_of_expression(section, faults);
    let names = <ColumnType as VariantNames>::VARIANTS.join(", ");
    section.require("type", &format!("one of {names}"), faults);
    let column_type = named::<ColumnType>(section, "type", faults);
    if section.has("form") && column_type.is_some_and(|of| of != ColumnType::Timestamp) {
        let message = "is for fields of type timestamp";
        faults.push(section.key_span("form"), &section.at("form"), message);
    }
    Some(Field {
        name: section.name.to_owned(),
        description,
        column_type: column_type?,
        expression: expression?,
    })
}

/// Reads one of the names of a type.
fn named<T: FromStr + VariantNames>(
    section: &Section<'_, '_>,
    key: &str,
    faults: &mut Faults<'_>,
) -> Option<T> {
    let text = section.text(key, faults)?;
    let found = text.parse().ok();
    if found.is_none() {
        let message = format!("unknown {key} {text:?}; one of {}", T::VARIANTS.join(", "));
        faults.push(section.value_span(key), &section.at(key), message);
    }
    found
}

/// Reads an expression that is one text, or a table with a text for each dialect.
pub(super) fn expression(
    section: &Section<'_, '_>,
    key: &str,
    faults: &mut Faults<'_>,
) -> Option<Expression> {
    if section.is_table(key) {
        let section = section.subsection(key, faults)?;
        section.refuse_unknown(&EXPRESSION_KEYS, faults);
        return texts_of_expression(&section, faults);
    }
    Some(Expression {
        sql: section.checked(key, sql::check, faults)?,
        sqlite: None,
        postgres: None,
        form: None,
    })
}

fn texts_of_expression(section: &Section<'_, '_>, faults: &mut Faults<'_>) -> Option<Expression> {
    section.require("sql", "an SQL expression", faults);
    let sql = section.checked("sql", sql::check, faults);
    let sqlite = section.checked("sqlite", sql::check, faults);
    let postgres = section.checked("postgres", sql::check, faults);
    let form = named(section, "form", faults);
    Some(Expression {
        sql: sql?,
        sqlite,
        postgres,
        form,
    })
}
