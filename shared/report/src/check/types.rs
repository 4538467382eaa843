//! The type that the catalog declares, against the one that the database has.

use crate::catalog::{Dataset, Field};
use crate::column::ColumnType;
use crate::source::statement::{Dialect, tenant_expression};
use crate::source::stored_types::{StoredType, StoredTypes};

/// What is to be said of one setting.
pub(super) struct TypeFinding {
    /// Path of the setting below the dataset: `dimensions.day`.
    pub(super) setting: String,
    /// What is wrong, and what to write instead.
    pub(super) message: String,
    /// Whether reports work all the same, for as long as no value is in the way.
    pub(super) is_warning: bool,
}

/// How a declared type and a stored one go together.
enum Fit {
    Whole,
    /// With a loss, or until a value comes that does not fit.
    Partial(&'static str),
    None,
}

/// Compares every field of a dataset, and the column of its organisation.
pub(super) fn type_findings(
    dataset: &Dataset,
    dialect: &dyn Dialect,
    types: &StoredTypes,
) -> Vec<TypeFinding> {
    let mut findings: Vec<TypeFinding> = Vec::new();
    if let Some(tenant) = &dataset.tenant
        && let Some(stored) = types.of(&tenant_expression(tenant))
        && !is_text(&stored.name)
    {
        findings.push(TypeFinding {
            setting: "tenant".to_owned(),
            message: format!(
                "is of type {} in the database: an organisation whose name is not written as one has no rows",
                stored.name
            ),
            is_warning: true,
        });
    }
    for (kind, fields) in [
        ("dimensions", &dataset.dimensions),
        ("measures", &dataset.measures),
        ("filters", &dataset.filters),
    ] {
        for field in fields {
            let sql = dialect.text(&field.expression);
            let Some(stored) = types.of(sql) else {
                continue;
            };
            let (message, is_warning) = match fit(field.column_type, stored, kind) {
                Fit::Whole => continue,
                Fit::Partial(reason) => (reason.to_owned(), true),
                Fit::None => (instead(field, sql, stored), false),
            };
            findings.push(TypeFinding {
                setting: format!("{kind}.{}", field.name),
                message: format!("is of type {} in the database: {message}", stored.name),
                is_warning,
            });
        }
    }
    findings
}

fn fit(declared: ColumnType, stored: &StoredType, kind: &str) -> Fit {
    const FRACTION: &str =
        "a value with a fraction fails the report; declare it a decimal, or write a cast";
    const DIGITS: &str = "a decimal keeps 15 of its digits, 6 of a real; declare it a float";
    let name = stored.name.as_str();
    let is_float = matches!(name, "float4" | "float8");
    let fits = match declared {
        ColumnType::String | ColumnType::Json => true,
        // The sum of integers is numeric.
        ColumnType::Integer if name == "numeric" && kind == "measures" => true,
        ColumnType::Integer if stored.may_have_fraction() => return Fit::Partial(FRACTION),
        ColumnType::Integer => stored.is_whole() || name == "oid",
        ColumnType::Float => stored.is_whole() || stored.may_have_fraction(),
        ColumnType::Decimal if is_float => return Fit::Partial(DIGITS),
        ColumnType::Decimal => stored.is_whole() || matches!(name, "numeric" | "money"),
        ColumnType::Boolean => name == "bool",
        ColumnType::Timestamp => matches!(name, "timestamptz" | "timestamp" | "date"),
        ColumnType::Date => name == "date",
        ColumnType::Uuid => name == "uuid",
    };
    match fits {
        true => Fit::Whole,
        false => Fit::None,
    }
}

/// What to write in the catalog instead.
fn instead(field: &Field, sql: &str, stored: &StoredType) -> String {
    let cast = match field.column_type {
        ColumnType::String => "text",
        ColumnType::Integer => "bigint",
        ColumnType::Float => "double precision",
        ColumnType::Decimal => "numeric",
        ColumnType::Boolean => "boolean",
        ColumnType::Timestamp => "timestamptz",
        ColumnType::Date => "date",
        ColumnType::Uuid => "uuid",
        ColumnType::Json => "json",
    };
    // A catalog's text may go over several lines; a message does not.
    let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    format!(
        "declare it {}, or write a cast: ({sql})::{cast}",
        natural(stored)
    )
}

/// The catalog's type that has all values of a stored one.
fn natural(stored: &StoredType) -> &'static str {
    match stored.name.as_str() {
        "int2" | "int4" | "int8" => "an integer",
        "float4" | "float8" => "a float",
        "numeric" | "money" => "a decimal",
        "bool" => "a boolean",
        "timestamptz" | "timestamp" => "a timestamp",
        "date" => "a date",
        "uuid" => "a uuid",
        "json" | "jsonb" => "json",
        _ => "a string",
    }
}

fn is_text(name: &str) -> bool {
    matches!(name, "text" | "varchar" | "bpchar" | "citext" | "name")
}
