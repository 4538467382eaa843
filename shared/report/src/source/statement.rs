//! From a plan to SQL text, for one dialect.
//!
//! The only place that quotes an identifier or writes a literal: PostgreSQL's COPY takes no bound
//! parameters, so values are written for every dialect alike. Values come here typed by
//! [`query`](crate::query), expressions from the catalog; nothing else becomes SQL.

pub(in crate::source) mod guard;
#[cfg(test)]
mod tests;

use crate::catalog::{Dataset, Expression, Field, InstantForm, Relation};
use crate::column::{Column, ColumnKind};
use crate::query::{Direction, FilterOp, ReportPlan};
use crate::source::postgres::statement as postgres;
use crate::source::sqlite::statement as sqlite;
use crate::source::sqlite::statement::Look;
use crate::source::stored_types::StoredTypes;

pub use self::guard::SizeGuard;

/// The SQL that a source speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite 3.30 or later, with the functions that [`source::sqlite`](crate::source::sqlite) registers.
    Sqlite,
    /// PostgreSQL 12 or later, or a server that speaks like it, in a session whose time zone is UTC.
    Postgres,
}

impl TimeCheck {
    /// What the time of a row is called in errors.
    pub const COLUMN: &'static str = "time";
}

impl Expression {
    /// The text for this dialect.
    #[must_use]
    pub fn for_dialect(&self, dialect: Dialect) -> &str {
        let own = match dialect {
            Dialect::Sqlite => &self.sqlite,
            Dialect::Postgres => &self.postgres,
        };
        own.as_deref().unwrap_or(&self.sql)
    }
}

/// What a source runs for one report, in one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    report: String,
    newest: Option<String>,
    estimate: Option<String>,
    table: Option<String>,
    most_rows: u64,
    sends_numeric: Vec<bool>,
    time_check: Option<TimeCheck>,
}

/// How a SQLite source makes sure that no row is left out of a report because its time is no instant. Such values
/// sort anywhere, so no range of an index finds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeCheck {
    /// How times are written, where the catalog says so.
    pub form: Option<InstantForm>,
    /// Whether rows are of organisations.
    pub has_organisation: bool,
    /// A `SELECT` of one value, the first time of the organisation that is `?1` or comes after it.
    pub seek: String,
    /// A `SELECT` of the `rowid` of one row of the organisation whose time is no instant.
    pub stray_row: String,
    /// The report itself looks at every text that is not before the first and before the second of these.
    pub read_by_report: (String, String),
    /// The report for when no index serves `seek`: it looks at every row of the organisation.
    pub whole_report: String,
}

impl Statement {
    /// Writes the SQL of a plan. At most `most_rows` rows are read, and fewer where the plan's own
    /// limit is lower.
    #[must_use]
    pub fn new(plan: &ReportPlan, dialect: Dialect, most_rows: u64) -> Self {
        Self::written(plan, dialect, most_rows, None)
    }

    /// The same, whose [`report`](Self::report) fails where a cell or a row is too large; see
    /// [`SizeGuard::oversize`].
    #[must_use]
    pub fn guarded(plan: &ReportPlan, dialect: Dialect, most_rows: u64, guard: &SizeGuard) -> Self {
        Self::written(plan, dialect, most_rows, Some(guard))
    }

    fn written(
        plan: &ReportPlan,
        dialect: Dialect,
        most_rows: u64,
        guard: Option<&SizeGuard>,
    ) -> Self {
        // LIMIT takes a signed number.
        let most_rows = most_rows.min(i64::MAX.unsigned_abs());
        let rows = plan.limit().map_or(most_rows, |limit| limit.min(most_rows));
        match dialect {
            Dialect::Sqlite => Self {
                report: sqlite::report(plan, rows, guard, Look::Near),
                newest: sqlite::newest(plan),
                estimate: sqlite::estimate(plan),
                table: None,
                most_rows: rows,
                sends_numeric: Vec::new(),
                time_check: Some(sqlite::time_check(
                    plan,
                    sqlite::report(plan, rows, guard, Look::Everywhere),
                )),
            },
            Dialect::Postgres => Self {
                report: postgres::report(plan, rows, guard),
                newest: postgres::newest(plan),
                estimate: Some(postgres::estimate(plan)),
                table: only_table(plan, dialect),
                most_rows: rows,
                sends_numeric: postgres::sends_numeric(plan),
                time_check: None,
            },
        }
    }

    /// One `SELECT` with the plan's columns in their order.
    #[must_use]
    pub fn report(&self) -> &str {
        &self.report
    }

    /// One `SELECT` of one value, the newest source row's instant: on SQLite as it is stored, on
    /// PostgreSQL in microseconds since 1970. `None` when the dataset names no update column.
    #[must_use]
    pub fn newest(&self) -> Option<&str> {
        self.newest.as_deref()
    }

    /// What tells how many rows there are without the order and limit: on PostgreSQL an `EXPLAIN` whose
    /// one value is the plan as JSON, on SQLite a `SELECT` with a row for each of the report's. `None`
    /// where the database has nothing of the kind.
    #[must_use]
    pub fn estimate(&self) -> Option<&str> {
        self.estimate.as_deref()
    }

    /// Whether the column of this number, one of integers, comes as a PostgreSQL `numeric`, which may turn out to
    /// have a fraction.
    #[must_use]
    pub fn sends_numeric(&self, column: usize) -> bool {
        self.sends_numeric.get(column).copied().unwrap_or_default()
    }

    /// What to look at before the report, on SQLite.
    #[must_use]
    pub fn time_check(&self) -> Option<&TimeCheck> {
        self.time_check.as_ref()
    }

    /// The only relation that is read, as it stands in the SQL; `None` where there may be others, or where
    /// nobody asks.
    #[must_use]
    pub(crate) fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }

    /// The most rows that [`report`](Self::report) gives.
    #[must_use]
    pub fn most_rows(&self) -> u64 {
        self.most_rows
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

/// What a statement makes of a setting, which is what a probe has to show.
pub(in crate::source) enum Use<'a> {
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
pub fn probes(dataset: &Dataset, dialect: Dialect, types: &StoredTypes) -> Vec<Probe> {
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
        sql: match dialect {
            Dialect::Sqlite => sqlite::probe(dataset, &used),
            Dialect::Postgres => postgres::probe(dataset, &used, types),
        },
    };
    uses.into_iter().map(probe).collect()
}

/// A `SELECT` of one row for each of these expressions on PostgreSQL: its number (`int4`), the name of its type, of
/// a domain that of what it is made of (`text`), whether texts are equal to it by their bytes alone (`bool`), and the
/// encoding of the database (`text`).
pub(crate) fn stored_types(relation: &Relation, expressions: &[TypedUse<'_>]) -> String {
    postgres::stored_types(relation, expressions)
}

/// A `SELECT` of these expressions over a relation, without a row.
pub(crate) fn select_nothing(relation: &Relation, expressions: &[&str]) -> String {
    let selected: Vec<String> = expressions.iter().map(|sql| format!("({sql})")).collect();
    let relation = from_clause(relation);
    format!("SELECT {}\nFROM {relation}\nLIMIT 0", selected.join(", "))
}

/// An expression, and whether it is one of a single row or of a group.
pub type TypedUse<'a> = (&'a str, ColumnKind);

/// The expression that is the column of a dataset's organisation.
pub(crate) fn tenant_expression(tenant: &str) -> String {
    quoted_name(tenant)
}

/// A `SELECT` of an array of column names for each index over all rows of a PostgreSQL table, one
/// NULL when it has no index, nothing when it is no table.
pub(crate) fn index_columns(table: &str) -> String {
    postgres::index_columns(table)
}

/// A `SELECT` of one number: how many rows of a dataset, of whatever organisation, have no time.
#[must_use]
pub fn rows_without_time(dataset: &Dataset, dialect: Dialect) -> String {
    format!(
        "SELECT count(*)\nFROM {}\nWHERE ({}) IS NULL",
        from_clause(&dataset.relation),
        dataset.time.for_dialect(dialect)
    )
}

/// The table of a dataset, quoted, if nothing in its SQL can name another: no SELECT within.
fn only_table(plan: &ReportPlan, dialect: Dialect) -> Option<String> {
    let dataset = plan.dataset();
    let Relation::Table(table) = &dataset.relation else {
        return None;
    };
    let predicates = plan.predicates().iter();
    let mut expressions = (plan.expressions().iter())
        .chain(predicates.map(|predicate| &predicate.expression))
        .chain([&dataset.time])
        .chain(&dataset.updated);
    let selects = expressions.any(|expression| {
        let sql = expression.for_dialect(dialect).to_ascii_lowercase();
        sql.contains("select") || sql.contains("table")
    });
    (!selects).then(|| quoted_name(table))
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
