//! A catalog drafted from what a database has, with the reasons of each choice, for an operator to read
//! and correct.
//!
//! What it writes is a valid catalog. Nobody's rows are shown to anybody else by it: where no column is
//! surely the organisation's, the datasets stand there as comments, with the question that is open.

mod choice;
mod names;
mod text;

use crate::column::ColumnType;
use crate::source::tables::{Table, TableColumn};

use self::choice::Tenant;
use self::names::{Names, wire_name};
use self::text::Text;
use super::parse::rules;

/// A drafted catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// The catalog as TOML, with comments.
    pub text: String,
    /// How many datasets it has.
    pub datasets: usize,
    /// The tables and views of which all is a comment, because something has to be decided.
    pub undecided: Vec<String>,
}

/// Drafts a catalog of these tables of a source: of each one the rows and, grouped, their numbers.
#[must_use]
pub fn draft(source: &str, tables: &[Table]) -> Draft {
    let mut draft = Draft::default();
    let mut text = Text::default();
    text.comment(&format!(
        "A catalog drafted from the tables and views of the source {source:?}. Read it before you use it, take out"
    ));
    text.comment(
        "what nobody is to export, and hold what is left against the source with `waybill catalog check`.",
    );
    text.comment(
        "A caller sees the rows whose `tenant` column holds its organisation, and no others. Where no column is surely",
    );
    text.comment("that one, a table is left out until you decide.");
    let mut datasets = Names::new();
    for table in tables {
        let sketch = Sketch::of(source, table);
        let open = sketch.write(&mut text, &mut datasets);
        if open {
            draft.undecided.push(table.title());
        } else {
            draft.datasets += 2;
        }
    }
    draft.text = text.into_string();
    draft
}

/// What the datasets of a table have in common.
struct Sketch<'a> {
    source: &'a str,
    table: &'a Table,
    tenant: Tenant<'a>,
    times: Vec<&'a TableColumn>,
    updated: Option<&'a TableColumn>,
}

/// How a dataset reads its table.
struct Relation {
    /// `table` or `sql`.
    key: &'static str,
    value: String,
    /// The organisation's column in it.
    tenant: Option<String>,
}

impl<'a> Sketch<'a> {
    fn of(source: &'a str, table: &'a Table) -> Self {
        let tenant = choice::tenant(table);
        let column = match tenant {
            Tenant::Sound(column, _) => Some(column),
            Tenant::Undecided(_) => None,
        };
        Self {
            source,
            table,
            times: choice::times(table, column),
            updated: choice::updated(table, column),
            tenant,
        }
    }

    fn tenant(&self) -> Option<&'a TableColumn> {
        match self.tenant {
            Tenant::Sound(column, _) => Some(column),
            Tenant::Undecided(_) => None,
        }
    }

    /// Writes both datasets, as comments where something has to be decided. Returns whether that is so.
    fn write(&self, text: &mut Text, datasets: &mut Names) -> bool {
        let title = self.table.title();
        text.gap();
        text.comment(&format!("---- {title}"));
        if self.values().next().is_none() {
            text.comment("Left out: no column of it can be had.");
            return true;
        }
        let open = self.tenant().is_none() || self.times.is_empty();
        if open {
            text.comment(
                "LEFT OUT until you decide. Take the comment signs off what follows then.",
            );
        }
        self.explain(text);
        text.disabled = open;
        let name = datasets.take(&wire_name(&title, "dataset"));
        let rows = datasets.take(&format!("{name}_rows"));
        self.aggregate(text, &name);
        self.rows(text, &rows);
        text.disabled = false;
        open
    }

    /// The reasons of what follows, and what is open.
    fn explain(&self, text: &mut Text) {
        match &self.tenant {
            Tenant::Sound(column, reason) => {
                text.comment(&format!(
                    "tenant: {}, {reason}.{}",
                    column.name,
                    tenant_notes(column)
                ));
            }
            Tenant::Undecided(candidates) => explain_candidates(text, candidates),
        }
        match self.times.as_slice() {
            [] => text.comment(
                "DECIDE time: no column is an instant or a day; write an expression that is one, such as that of a joined table.",
            ),
            [time, others @ ..] => {
                let mut line = format!("time: {}, {}", time.name, self.indexed(time, "every report reads the whole table"));
                if time.nullable {
                    line.push_str("; rows without it are in no report");
                }
                let others: Vec<&str> = others.iter().map(|column| column.name.as_str()).collect();
                if !others.is_empty() {
                    line.push_str(&format!(". It could be {}", others.join(" or ")));
                }
                text.comment(&format!("{line}."));
            }
        }
        match self.updated {
            Some(column) => text.comment(&format!(
                "updated: {}, by its name and {}.",
                column.name,
                self.indexed(column, "reports may have to do without their freshness")
            )),
            None => text.comment(
                "updated: no column says when a row changed last, so reports tell no freshness.",
            ),
        }
        let secrets: Vec<&str> = self
            .table
            .columns
            .iter()
            .filter(|column| choice::is_secret(column))
            .map(|column| column.name.as_str())
            .collect();
        if !secrets.is_empty() {
            let secrets = secrets.join(", ");
            text.comment(&format!("Left out for secrets, by their names: {secrets}."));
        }
        for (remark, columns) in self.remarks() {
            text.comment(&format!("{}: {remark}.", columns.join(", ")));
        }
    }

    /// What is to be known about the types of columns, each remark once.
    fn remarks(&self) -> Vec<(&'a str, Vec<String>)> {
        let mut remarks: Vec<(&str, Vec<String>)> = Vec::new();
        for column in &self.table.columns {
            let Some(remark) = column.content.remark.as_deref() else {
                continue;
            };
            let name = format!("{}{}", column.name, native(column));
            match remarks.iter_mut().find(|(known, _)| *known == remark) {
                Some((_, names)) => names.push(name),
                None => remarks.push((remark, vec![name])),
            }
        }
        remarks
    }

    fn indexed(&self, column: &TableColumn, consequence: &str) -> String {
        let needed: Vec<&str> = self
            .tenant()
            .into_iter()
            .chain([column])
            .map(|column| column.name.as_str())
            .collect();
        let needed = needed.join(", ");
        match choice::is_indexed(self.table, self.tenant(), column) {
            true => format!("an index begins with ({needed})"),
            false => format!("although no index begins with ({needed}): {consequence}"),
        }
    }

    /// The head of a dataset.
    fn head(&self, text: &mut Text, name: &str, grain: &str, description: &str) {
        let relation = self.relation();
        text.gap();
        text.line(&format!("[datasets.{name}]"));
        text.setting(
            "description",
            &format!("{}, {description}", self.table.title()),
        );
        if self.source != "default" {
            text.setting("source", self.source);
        }
        text.setting(relation.key, &relation.value);
        text.setting("grain", grain);
        text.setting("tenant", relation.tenant.as_deref().unwrap_or_default());
        text.setting(
            "time",
            self.times.first().map_or("", |column| value_of(column)),
        );
        if let Some(updated) = self.updated {
            text.setting("updated", value_of(updated));
        }
    }

    /// A catalog names tables and columns by plain identifiers; others are named in a SELECT.
    fn relation(&self) -> Relation {
        let is_plain = |name: &str| rules::column(name).is_ok();
        let plain_table = is_plain(&self.table.name)
            && (!self.table.needs_schema || self.table.schema.as_deref().is_some_and(is_plain));
        let tenant = self.tenant();
        if plain_table && tenant.is_none_or(|tenant| is_plain(&tenant.name)) {
            return Relation {
                key: "table",
                value: self.table.title(),
                tenant: tenant.map(|tenant| tenant.name.clone()),
            };
        }
        let mut selected: Vec<String> = self
            .table
            .columns
            .iter()
            .map(|column| column.sql.clone())
            .collect();
        let tenant = tenant.map(|tenant| match is_plain(&tenant.name) {
            true => tenant.name.clone(),
            false => {
                let alias = self.free_name();
                selected.push(format!("{} AS {alias}", tenant.sql));
                alias
            }
        });
        Relation {
            key: "sql",
            value: format!("SELECT {} FROM {}", selected.join(", "), self.table.sql),
            tenant,
        }
    }

    /// A name for the organisation's column that no column has.
    fn free_name(&self) -> String {
        let mut name = "tenant".to_owned();
        while self
            .table
            .columns
            .iter()
            .any(|column| column.name.eq_ignore_ascii_case(&name))
        {
            name.push('_');
        }
        name
    }

    /// The columns that a report can have, and may.
    fn values(&self) -> impl Iterator<Item = (&'a TableColumn, ColumnType)> {
        let columns = self.table.columns.iter();
        columns
            .filter(|column| !choice::is_secret(column))
            .filter_map(|column| choice::type_of(column).map(|kind| (column, kind)))
    }

    fn aggregate(&self, text: &mut Text, name: &str) {
        self.head(text, name, "aggregate", "grouped");
        let mut columns = Names::of_columns();
        text.gap();
        text.line(&format!("[datasets.{name}.dimensions]"));
        if let Some(time) = self.times.first()
            && let Some(day) = &time.content.day
        {
            text.field(&columns.take("day"), day, ColumnType::Date);
        }
        let tenant = self.tenant().map(|tenant| &tenant.name);
        for (column, kind) in self.values() {
            if Some(&column.name) != tenant && groups(column, kind) {
                let name = columns.take(&wire_name(&column.name, "column"));
                text.field(&name, value_of(column), kind);
            }
        }
        text.gap();
        text.line(&format!("[datasets.{name}.measures]"));
        let count = columns.take(&format!("{name}_count"));
        text.field(&count, "count(*)", ColumnType::Integer);
        for (column, _) in self.values().filter(|(column, _)| !choice::is_key(column)) {
            let name = wire_name(&column.name, "column");
            let content = &column.content;
            for (prefix, measure) in [("total", &content.sum), ("avg", &content.mean)] {
                if let Some(measure) = measure {
                    let name = columns.take(&format!("{prefix}_{name}"));
                    text.field(&name, &measure.sql, measure.column_type);
                }
            }
        }
    }

    fn rows(&self, text: &mut Text, name: &str) {
        self.head(text, name, "row", "row by row");
        let mut columns = Names::of_columns();
        text.gap();
        text.line(&format!("[datasets.{name}.dimensions]"));
        for (column, kind) in self.values() {
            let name = columns.take(&wire_name(&column.name, "column"));
            text.field(&name, value_of(column), kind);
        }
    }
}

/// Whether rows are worth grouping by it: neither what tells each from all others nor what is measured.
fn groups(column: &TableColumn, kind: ColumnType) -> bool {
    match kind {
        ColumnType::String | ColumnType::Uuid | ColumnType::Date | ColumnType::Boolean => {
            !column.unique
        }
        ColumnType::Integer => !column.unique && choice::is_key(column),
        ColumnType::Float | ColumnType::Decimal | ColumnType::Timestamp | ColumnType::Json => false,
    }
}

fn value_of(column: &TableColumn) -> &str {
    column.content.value.as_ref().map_or("", |value| &value.sql)
}

fn native(column: &TableColumn) -> String {
    match column.native_type.as_str() {
        "" => String::new(),
        native => format!(" ({native})"),
    }
}

fn tenant_notes(column: &TableColumn) -> String {
    let mut notes = String::new();
    if column.nullable {
        notes.push_str(" Rows without it are in no report.");
    }
    match choice::type_of(column) {
        Some(ColumnType::Integer) => notes.push_str(" Organisations are called by its numbers."),
        Some(ColumnType::Uuid) => {
            notes.push_str(" Organisations are called by its UUIDs, in lower case.");
        }
        _ => {}
    }
    notes
}

fn explain_candidates(text: &mut Text, candidates: &[(&TableColumn, String)]) {
    text.comment("DECIDE tenant: no column is surely the one that holds the organisation.");
    for (column, reason) in candidates {
        text.comment(&format!("  It could be {}, {reason}.", column.name));
    }
    if candidates.is_empty() {
        text.comment(
            "  It may be in another table: write sql = \"SELECT …\" with a join instead of table.",
        );
    }
    text.comment(
        "  Where all organisations may see all rows, or you serve one alone, write shared = true instead.",
    );
}

#[cfg(test)]
mod tests;
