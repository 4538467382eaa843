//! A catalog drafted from what a database has, with the reasons of each choice, for an operator to read
//! and correct.
//!
//! What it writes is a valid catalog. Nobody's rows are shown to anybody else by it: where no column is
//! surely the organisation's, the datasets stand there as comments, with the question that is open.

mod choice;
mod explain;
mod names;
mod sketch;
#[cfg(test)]
mod tests;
mod text;

use crate::source::tables::Table;

use self::names::Names;
use self::sketch::Sketch;
use self::text::Text;

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
