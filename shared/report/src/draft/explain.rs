//! The reasons of a draft's choices, and what is open, as comments.

use crate::column::ColumnType;
use crate::source::tables::TableColumn;

use super::choice::{self, Choices, Tenant};
use super::text::Text;

impl<'a> Choices<'a> {
    /// Writes the reasons of what follows, and what is open.
    pub(super) fn explain(&self, text: &mut Text) {
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
            .tenant_column()
            .into_iter()
            .chain([column])
            .map(|column| column.name.as_str())
            .collect();
        let needed = needed.join(", ");
        match choice::is_indexed(self.table, self.tenant_column(), column) {
            true => format!("an index begins with ({needed})"),
            false => format!("although no index begins with ({needed}): {consequence}"),
        }
    }
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
