//! The conditions of a report on PostgreSQL.
//!
//! A literal is typed so that an index of the operand serves. Where the operand's own type compares
//! otherwise than the catalog says, it is compared in the form in which the report shows it.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::values::{sql, value};
use crate::catalog::Expression;
use crate::column::ColumnType;
use crate::query::{FilterOp, Literal, Predicate, ReportPlan, Test, TimeRange};
use crate::source::statement::{operator, quoted_name, quoted_text};
use crate::source::stored_types::StoredTypes;

const NEVER: &str = "FALSE";

pub(super) fn organisation(plan: &ReportPlan) -> Option<String> {
    let tenant = plan.dataset().tenant.as_deref()?;
    Some(is_organisation(
        tenant,
        plan.org().as_str(),
        plan.stored_types(),
    ))
}

/// The first condition takes the column's own type, whatever it is, and so its index. Where that
/// reads two texts as one value, as an integer column does with `7` and `007`, the second tells them
/// apart. For a text column they are the same condition, and the planner keeps one. What is no value of
/// the type is no row's.
fn is_organisation(tenant: &str, organisation: &str, types: &StoredTypes) -> String {
    let column = quoted_name(tenant);
    let exact = format!("{column}::text = {}", text(organisation));
    if is_foreign(organisation, types) {
        return format!(
            "convert_to({column}::text, 'UTF8') = {}",
            utf8_bytes(organisation)
        );
    }
    let may_be = match types.name_of(&column) {
        "" | "text" | "varchar" | "bpchar" | "citext" | "name" => true,
        "int2" => organisation.parse::<i16>().is_ok(),
        "int4" => organisation.parse::<i32>().is_ok(),
        "int8" => organisation.parse::<i64>().is_ok(),
        "uuid" => Uuid::try_parse(organisation).is_ok(),
        // Of any other type nobody can say here which texts are values of it.
        _ => return exact,
    };
    match may_be {
        true => format!("{column} = {} AND {exact}", text(organisation)),
        false => NEVER.to_owned(),
    }
}

pub(super) fn within(time: &Expression, range: TimeRange) -> String {
    let time = sql(time);
    let bounds = range
        .comparisons()
        .map(|(op, instant)| format!("({time}) {} {}", operator(op), timestamp(instant)));
    bounds.join(" AND ")
}

pub(super) fn condition(predicate: &Predicate, types: &StoredTypes) -> String {
    let operand = sql(&predicate.expression);
    let write = |op, values: &[&Literal]| {
        comparison(
            &predicate.expression,
            predicate.column_type,
            op,
            values,
            types,
        )
    };
    match &predicate.test {
        Test::IsNull => format!("({operand}) IS NULL"),
        Test::IsNotNull => format!("({operand}) IS NOT NULL"),
        Test::Compare(op, value) => write(*op, &[value]),
        Test::In(values) => write(FilterOp::In, &values.iter().collect::<Vec<_>>()),
        Test::Never => NEVER.to_owned(),
    }
}

/// A comparison with one value or, of [`FilterOp::In`], with several.
pub(super) fn comparison(
    expression: &Expression,
    column_type: ColumnType,
    op: FilterOp,
    values: &[&Literal],
    types: &StoredTypes,
) -> String {
    let operand = format!("({})", sql(expression));
    let compared = |operand: &str, literal: &dyn Fn(&Literal) -> String| {
        let literals: Vec<String> = values.iter().map(|value| literal(value)).collect();
        match op {
            FilterOp::In => format!("{operand} IN ({})", literals.join(", ")),
            op => format!("{operand} {} {}", operator(op), literals.join(", ")),
        }
    };
    let stored = types.of(sql(expression));
    let shown = || value(expression, column_type, types);
    if column_type != ColumnType::String {
        // A single is not the double of the same digits.
        return match types.name_of(sql(expression)) {
            "float4" => compared(&shown(), &literal),
            _ => compared(&operand, &literal),
        };
    }
    let is_foreign = |value: &&Literal| match value {
        Literal::String(text) => is_foreign(text, types),
        _ => false,
    };
    if values.iter().any(is_foreign) {
        return compared(
            &format!("convert_to({}, 'UTF8')", shown()),
            &|value| match value {
                Literal::String(text) => utf8_bytes(text),
                value => literal(value),
            },
        );
    }
    let bytewise = format!("{operand} COLLATE \"C\"");
    match stored {
        // Text of another kind, or no text: as it is shown.
        Some(stored) if !stored.is_text() => {
            compared(&format!("{} COLLATE \"C\"", shown()), &literal)
        }
        // Equal texts are the same in every collation of bytes, but an order is not.
        _ if !matches!(op, FilterOp::Eq | FilterOp::Neq | FilterOp::In) => {
            compared(&bytewise, &literal)
        }
        // What is equal by bytes is equal here too, so an index finds it; and more.
        Some(stored) if !stored.is_bytewise && op != FilterOp::Neq => format!(
            "{} AND {}",
            compared(&operand, &literal),
            compared(&bytewise, &literal)
        ),
        Some(stored) if !stored.is_bytewise => compared(&bytewise, &literal),
        _ => compared(&operand, &literal),
    }
}

/// Whether the server could not convert a text to the database's encoding, for all that is known.
fn is_foreign(text: &str, types: &StoredTypes) -> bool {
    types.narrow_encoding && !text.is_ascii()
}

fn literal(value: &Literal) -> String {
    match value {
        Literal::String(value) => format!("{}::text", text(value)),
        Literal::Integer(number) => format!("'{number}'::int8"),
        Literal::Float(number) => format!("'{number:e}'::float8"),
        Literal::Decimal(number) => format!("{}::numeric", text(number)),
        Literal::Boolean(truth) => truth.to_string(),
        Literal::Timestamp(instant) => timestamp(*instant),
        Literal::Date(day) => format!("'{}'::date", day.format("%Y-%m-%d")),
        Literal::Uuid(uuid) => format!("'{}'::uuid", uuid.hyphenated()),
    }
}

pub(super) fn timestamp(instant: DateTime<Utc>) -> String {
    let instant = instant.format("%Y-%m-%d %H:%M:%S%.6f+00");
    format!("'{instant}'::timestamptz")
}

/// A quoted text. With a backslash in it, it is written so that it means the same whether or not
/// `standard_conforming_strings` is on.
pub(super) fn text(text: &str) -> String {
    if text.contains('\\') {
        format!(" E{}", quoted_text(&text.replace('\\', "\\\\")))
    } else {
        quoted_text(text)
    }
}

/// The bytes of a text in UTF-8.
fn utf8_bytes(text: &str) -> String {
    format!("decode('{}', 'hex')", hex::encode(text))
}
