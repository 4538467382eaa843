//! What the SQL of every engine has in common, and what others than its own source ask of it.
//!
//! Each engine's dialect stands beside its reader, and there alone identifiers are quoted and literals written:
//! PostgreSQL's COPY takes no bound parameters, so values are written for every engine alike. Values come
//! typed by [`query`](crate::query), expressions from the catalog; nothing else becomes SQL.

use super::stored_types::StoredTypes;
use crate::catalog::{Dataset, Expression, Field, Relation};
use crate::column::{Column, ColumnKind};
use crate::query::{Direction, FilterOp, ReportPlan};

/// The SQL of one engine.
pub trait Dialect: Sync {
    /// Returns the text of an expression: its own for this engine, or the one for all.
    fn text<'e>(&self, expression: &'e Expression) -> &'e str;

    /// Writes a `SELECT` that is refused where a report that uses a setting would be.
    fn probe(&self, dataset: &Dataset, used: &Use<'_>, types: &StoredTypes) -> String;

    /// Returns whether it is the columns that have types here, so that those of the catalog can be held
    /// against them.
    fn has_typed_columns(&self) -> bool;
}

/// A statement that shows whether one setting of a dataset fits its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Path of the setting below the dataset: `dimensions.day`.
    pub setting: String,
    /// A `SELECT` to be prepared, not run.
    pub sql: String,
}

/// What a statement makes of a setting, which is what a probe has to show.
pub enum Use<'a> {
    /// Rows come from it.
    Relation,
    /// Compared with the organisation.
    Tenant(&'a str),
    /// Compared with the ends of the range.
    Time(&'a Expression),
    /// Its maximum is taken.
    Updated(&'a Expression),
    /// Selected, and grouped by where the dataset is.
    Dimension(&'a Field),
    /// Selected for a group.
    Measure(&'a Field),
    /// Compared with literals of its type.
    Filter(&'a Field),
}

/// One probe for each setting of a dataset, the relation first. A dataset without filters of its own
/// has its dimensions as filters, which are probed as such too. `types` are those of its expressions.
#[must_use]
pub fn probes(dataset: &Dataset, dialect: &dyn Dialect, types: &StoredTypes) -> Vec<Probe> {
    let relation = match dataset.relation {
        Relation::Table(_) => "table",
        Relation::Sql(_) => "sql",
    };
    let mut uses = vec![(relation.to_owned(), Use::Relation)];
    if let Some(tenant) = &dataset.tenant {
        uses.push(("tenant".to_owned(), Use::Tenant(tenant)));
    }
    uses.push(("time".to_owned(), Use::Time(&dataset.time)));
    if let Some(updated) = &dataset.updated {
        uses.push(("updated".to_owned(), Use::Updated(updated)));
    }
    for field in &dataset.dimensions {
        uses.push((format!("dimensions.{}", field.name), Use::Dimension(field)));
    }
    for field in &dataset.measures {
        uses.push((format!("measures.{}", field.name), Use::Measure(field)));
    }
    for field in &dataset.filters {
        uses.push((format!("filters.{}", field.name), Use::Filter(field)));
    }
    let probe = |(setting, used): (String, Use<'_>)| Probe {
        setting,
        sql: dialect.probe(dataset, &used, types),
    };
    uses.into_iter().map(probe).collect()
}

/// An expression, and whether it is one of a single row or of a group.
pub type TypedUse<'a> = (&'a str, ColumnKind);

/// The expression that is the column of a dataset's organisation.
pub(crate) fn tenant_expression(tenant: &str) -> String {
    quoted_name(tenant)
}

/// A `SELECT` of one number: how many rows of a dataset, of whatever organisation, have no time.
#[must_use]
pub fn rows_without_time(dataset: &Dataset, dialect: &dyn Dialect) -> String {
    format!(
        "SELECT count(*)\nFROM {}\nWHERE ({}) IS NULL",
        from_clause(&dataset.relation),
        dialect.text(&dataset.time)
    )
}

/// Quotes a possibly qualified name, part by part.
pub(in crate::source) fn quoted_name(name: &str) -> String {
    let parts: Vec<String> = name
        .split('.')
        .map(|part| format!("\"{}\"", part.replace('"', "\"\"")))
        .collect();
    parts.join(".")
}

/// Quotes text in the way of the SQL standard: a backslash means nothing.
pub(in crate::source) fn quoted_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The most rows that a report gives where at most `most_rows` are read.
pub(in crate::source) fn limited(plan: &ReportPlan, most_rows: u64) -> u64 {
    // LIMIT takes a signed number.
    let most_rows = most_rows.min(i64::MAX.unsigned_abs());
    plan.limit().map_or(most_rows, |limit| limit.min(most_rows))
}

/// `ORDER BY` and `LIMIT` of a report; `operand` is the form in which an expression is ordered.
pub(in crate::source) fn order_and_limit(
    plan: &ReportPlan,
    rows: u64,
    operand: impl Fn(&Column, &Expression) -> String,
) -> String {
    let order: Vec<String> = plan
        .order()
        .iter()
        .map(|key| {
            let column = &plan.columns()[key.column];
            let direction = match key.direction {
                Direction::Asc => "ASC",
                Direction::Desc => "DESC",
            };
            let operand = operand(column, &plan.expressions()[key.column]);
            format!("{operand} {direction} NULLS LAST")
        })
        .collect();
    let limit = format!("\nLIMIT {rows}");
    if order.is_empty() {
        return limit;
    }
    format!("\nORDER BY {}{limit}", order.join(", "))
}

/// What follows FROM.
pub(in crate::source) fn from_clause(relation: &Relation) -> String {
    match relation {
        Relation::Table(name) => quoted_name(name),
        Relation::Sql(select) => format!("({select}\n) AS \"dataset\""),
    }
}

pub(in crate::source) fn operator(op: FilterOp) -> &'static str {
    match op {
        FilterOp::Eq | FilterOp::In => "=",
        FilterOp::Neq => "<>",
        FilterOp::Gt => ">",
        FilterOp::Gte => ">=",
        FilterOp::Lt => "<",
        FilterOp::Lte => "<=",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_part_by_part() {
        assert_eq!(quoted_name("public.sessions"), "\"public\".\"sessions\"");
        assert_eq!(quoted_name("we\"ird"), "\"we\"\"ird\"");
    }
}
