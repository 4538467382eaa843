//! From a plan to SQL text, for one dialect.
//!
//! The only place that quotes an identifier or writes a literal: PostgreSQL's COPY takes no bound
//! parameters, so values are written for every dialect alike. Values come here typed by
//! [`query`](crate::query), expressions from the catalog; nothing else becomes SQL.

mod sqlite;
#[cfg(test)]
mod tests;

use crate::catalog::{Dataset, Expression, Field, Relation};
use crate::query::ReportPlan;

/// The SQL that a source speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite 3.30 or later, with the functions that [`source::sqlite`](crate::source::sqlite) registers.
    Sqlite,
}

impl Expression {
    /// The text for this dialect.
    #[must_use]
    pub fn for_dialect(&self, dialect: Dialect) -> &str {
        match dialect {
            Dialect::Sqlite => self.sqlite.as_deref().unwrap_or(&self.sql),
        }
    }
}

/// What a source runs for one report, in one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    report: String,
    newest: Option<String>,
}

impl Statement {
    /// Writes the SQL of a plan. At most `most_rows` rows are read, and fewer where the plan's own
    /// limit is lower.
    #[must_use]
    pub fn new(plan: &ReportPlan, dialect: Dialect, most_rows: u64) -> Self {
        let rows = plan.limit().map_or(most_rows, |limit| limit.min(most_rows));
        match dialect {
            Dialect::Sqlite => Self {
                report: sqlite::report(plan, rows),
                newest: sqlite::newest(plan),
            },
        }
    }

    /// One `SELECT` with the plan's columns in their order.
    #[must_use]
    pub fn report(&self) -> &str {
        &self.report
    }

    /// One `SELECT` of one value, the newest source row's instant; `None` when the dataset names no
    /// update column.
    #[must_use]
    pub fn newest(&self) -> Option<&str> {
        self.newest.as_deref()
    }
}

/// A statement that shows whether one setting of a dataset fits its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Path of the setting below the dataset: `dimensions.day`.
    pub setting: String,
    /// A `SELECT` to be prepared, not run.
    pub sql: String,
}

/// One probe for each expression of a dataset, the relation first.
#[must_use]
pub fn probes(dataset: &Dataset, dialect: Dialect) -> Vec<Probe> {
    let from = from_clause(&dataset.relation);
    let probe = |setting: String, selected: &str| Probe {
        setting,
        sql: format!("SELECT {selected}\nFROM {from}\nLIMIT 0"),
    };
    let relation = match dataset.relation {
        Relation::Table(_) => "table",
        Relation::Sql(_) => "sql",
    };
    let mut probes = vec![probe(relation.to_owned(), "1")];
    if let Some(tenant) = &dataset.tenant {
        probes.push(probe("tenant".to_owned(), &quoted_name(tenant)));
    }
    let expressions = [
        ("time", Some(&dataset.time)),
        ("updated", dataset.updated.as_ref()),
    ];
    for (setting, expression) in expressions {
        if let Some(expression) = expression {
            probes.push(probe(setting.to_owned(), expression.for_dialect(dialect)));
        }
    }
    for (section, fields) in [
        ("dimensions", &dataset.dimensions),
        ("measures", &dataset.measures),
        ("filters", &dataset.filters),
    ] {
        // Filters may be the dimensions over again.
        let probed = |field: &Field| {
            section == "filters"
                && (dataset.dimension(&field.name))
                    .is_some_and(|dimension| dimension.expression == field.expression)
        };
        for field in fields.iter().filter(|field| !probed(field)) {
            let setting = format!("{section}.{}", field.name);
            probes.push(probe(setting, field.expression.for_dialect(dialect)));
        }
    }
    probes
}

/// Quotes a possibly qualified name, part by part.
fn quoted_name(name: &str) -> String {
    let parts: Vec<String> = name
        .split('.')
        .map(|part| format!("\"{}\"", part.replace('"', "\"\"")))
        .collect();
    parts.join(".")
}

/// Quotes text; the same in both dialects as PostgreSQL's `standard_conforming_strings` is on.
fn quoted_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// What follows FROM.
fn from_clause(relation: &Relation) -> String {
    match relation {
        Relation::Table(name) => quoted_name(name),
        Relation::Sql(select) => format!("({select}\n) AS \"dataset\""),
    }
}
