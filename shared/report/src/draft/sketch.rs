//! The datasets of one table: its rows and, grouped, their numbers.

use crate::catalog::is_identifier;
use crate::column::ColumnType;
use crate::source::tables::{Table, TableColumn};

use super::choice::{self, Choices};
use super::names::{Names, wire_name};
use super::text::Text;

/// The datasets of one table of a source.
pub(super) struct Sketch<'a> {
    source: &'a str,
    choices: Choices<'a>,
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
    pub(super) fn of(source: &'a str, table: &'a Table) -> Self {
        let choices = Choices::of(table);
        Self { source, choices }
    }

    /// Writes both datasets, as comments where something has to be decided. Returns whether that is so.
    pub(super) fn write(&self, text: &mut Text, datasets: &mut Names) -> bool {
        let title = self.choices.table.title();
        text.gap();
        text.comment(&format!("---- {title}"));
        if self.values().next().is_none() {
            text.comment("Left out: no column of it can be had.");
            return true;
        }
        let open = self.choices.tenant_column().is_none() || self.choices.times.is_empty();
        if open {
            text.comment(
                "LEFT OUT until you decide. Take the comment signs off what follows then.",
            );
        }
        self.choices.explain(text);
        text.disabled = open;
        let name = datasets.take(&wire_name(&title, "dataset"));
        let rows = datasets.take(&format!("{name}_rows"));
        self.aggregate(text, &name);
        self.rows(text, &rows);
        text.disabled = false;
        open
    }

    /// The head of a dataset.
    fn head(&self, text: &mut Text, name: &str, grain: &str, description: &str) {
        let relation = self.relation();
        text.gap();
        text.line(&format!("[datasets.{name}]"));
        text.setting(
            "description",
            &format!("{}, {description}", self.choices.table.title()),
        );
        if self.source != "default" {
            text.setting("source", self.source);
        }
        text.setting(relation.key, &relation.value);
        text.setting("grain", grain);
        text.setting("tenant", relation.tenant.as_deref().unwrap_or_default());
        text.setting(
            "time",
            self.choices
                .times
                .first()
                .map_or("", |column| value_of(column)),
        );
        if let Some(updated) = self.choices.updated {
            text.setting("updated", value_of(updated));
        }
    }

    /// A catalog names tables and columns by plain identifiers; others are named in a SELECT.
    fn relation(&self) -> Relation {
        let plain_table = is_identifier(&self.choices.table.name)
            && (!self.choices.table.needs_schema
                || self
                    .choices
                    .table
                    .schema
                    .as_deref()
                    .is_some_and(is_identifier));
        let tenant = self.choices.tenant_column();
        if plain_table && tenant.is_none_or(|tenant| is_identifier(&tenant.name)) {
            return Relation {
                key: "table",
                value: self.choices.table.title(),
                tenant: tenant.map(|tenant| tenant.name.clone()),
            };
        }
        let mut selected: Vec<String> = self
            .choices
            .table
            .columns
            .iter()
            .map(|column| column.sql.clone())
            .collect();
        let tenant = tenant.map(|tenant| match is_identifier(&tenant.name) {
            true => tenant.name.clone(),
            false => {
                let alias = self.free_name();
                selected.push(format!("{} AS {alias}", tenant.sql));
                alias
            }
        });
        Relation {
            key: "sql",
            value: format!(
                "SELECT {} FROM {}",
                selected.join(", "),
                self.choices.table.sql
            ),
            tenant,
        }
    }

    /// A name for the organisation's column that no column has.
    fn free_name(&self) -> String {
        let mut name = "tenant".to_owned();
        while self
            .choices
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
        let columns = self.choices.table.columns.iter();
        columns
            .filter(|column| !choice::is_secret(column))
            .filter_map(|column| choice::type_of(column).map(|kind| (column, kind)))
    }

    fn aggregate(&self, text: &mut Text, name: &str) {
        self.head(text, name, "aggregate", "grouped");
        let mut columns = Names::of_columns();
        text.gap();
        text.line(&format!("[datasets.{name}.dimensions]"));
        if let Some(time) = self.choices.times.first()
            && let Some(day) = &time.content.day
        {
            text.field(&columns.take("day"), day, ColumnType::Date);
        }
        let tenant = self.choices.tenant_column().map(|tenant| &tenant.name);
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
