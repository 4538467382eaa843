//! How a statement refuses what is too large, before a server sends it.

use crate::column::Column;
use crate::size::{Oversize, SizeLimits};
use crate::source::statement::quoted_text;

/// What a row's size is reported under, where a cell's is under the number of its column.
const ROW: &str = "row";

/// The limits that a statement keeps, and the words in which it says that it met one.
///
/// SQL has no statement that raises an error, so a cast is made to fail: of a text that names what
/// is too large. Servers quote such a text, as they quote cells of the data, so it begins with a
/// number that nobody can know before.
#[derive(Clone, Debug)]
pub struct SizeGuard {
    /// What is kept.
    pub(super) limits: SizeLimits,
    marker: String,
}

impl SizeGuard {
    /// A guard for one run of one statement.
    #[must_use]
    pub fn new(limits: SizeLimits) -> Self {
        let nonce: u128 = rand::random();
        Self {
            limits,
            marker: format!("waybill:{nonce:032x}:"),
        }
    }

    /// What an error's text says of a limit that the statement met; `None` when the error is about
    /// something else.
    pub(super) fn oversize(&self, text: &str, columns: &[Column]) -> Option<Oversize> {
        let (_, told) = text.split_once(&self.marker)?;
        let (what, size) = told.split_once(':')?;
        let digits = size
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap_or_default();
        let column = (what != ROW)
            .then(|| what.parse::<usize>().ok())
            .flatten()
            .and_then(|index| columns.get(index));
        Some(Oversize {
            column: column.map(|column| column.name.clone()),
            limit: column.map_or(self.limits.row, |_| self.limits.cell),
            size: digits.parse().ok(),
        })
    }

    /// The text whose cast fails, without the size at its end.
    fn prefix(&self, what: &str) -> String {
        quoted_text(&format!("{}{what}:", self.marker))
    }

    /// Wraps a report, each of whose columns of variable length is a text.
    ///
    /// Expressions of the catalog stand in the report alone, so that they are evaluated once; the
    /// length of a text that is stored out of line is known without fetching it. As long as no text
    /// has more than its share of a row nothing else can be too large, and one comparison a row tells.
    pub(super) fn wrap(&self, report: &str, columns: &[Column]) -> String {
        let names: Vec<String> = (0..columns.len())
            .map(|index| format!("c{index}"))
            .collect();
        let texts: Vec<usize> = (0..columns.len())
            .filter(|index| columns[*index].column_type.is_variable())
            .collect();
        let Some(first) = texts.first() else {
            return report.to_owned();
        };
        let SizeLimits { cell, row, .. } = self.limits;
        let share = cell.min(row / texts.len());
        let length = |index: &usize| format!("octet_length({})", names[*index]);
        let lengths: Vec<String> = texts.iter().map(length).collect();
        let largest = match &lengths[..] {
            [length] => length.clone(),
            _ => format!("greatest({})", lengths.join(", ")),
        };
        let fail = |what: &str, size: &str| {
            format!("(({} || ({size})::text)::int8)::text", self.prefix(what))
        };
        let mut refusals: Vec<String> = texts
            .iter()
            .zip(&lengths)
            .map(|(index, length)| {
                let failure = fail(&index.to_string(), length);
                format!("WHEN {length} > {cell} THEN {failure}")
            })
            .collect();
        if texts.len().saturating_mul(cell) > row {
            let terms: Vec<String> = lengths
                .iter()
                .map(|length| format!("coalesce({length}, 0)::int8"))
                .collect();
            let sum = terms.join(" + ");
            refusals.push(format!("WHEN {sum} > {row} THEN {}", fail(ROW, &sum)));
        }
        let guarded = format!(
            "CASE WHEN {largest} > {share} THEN CASE {} ELSE {name} END ELSE {name} END",
            refusals.join(" "),
            name = names[*first],
        );
        let mut selected = names.clone();
        selected[*first] = guarded;
        format!(
            "SELECT {}\nFROM (\n{report}\n) AS report ({})",
            selected.join(", "),
            names.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::{ColumnKind, ColumnType};

    fn columns() -> Vec<Column> {
        [("id", ColumnType::Integer), ("body", ColumnType::String)]
            .map(|(name, column_type)| Column {
                name: name.to_owned(),
                kind: ColumnKind::Dimension,
                column_type,
            })
            .to_vec()
    }

    #[test]
    fn only_its_own_words_are_believed() {
        let guard = SizeGuard::new(SizeLimits::of_export(8 << 20));
        let other = SizeGuard::new(guard.limits);
        let error = |guard: &SizeGuard, what: &str| {
            format!(
                "invalid input syntax for type bigint: \"{}{what}\"",
                guard.marker
            )
        };
        let cell = guard.oversize(&error(&guard, "1:9000000"), &columns());
        let cell = cell.expect("a cell");
        assert_eq!(
            (cell.column.as_deref(), cell.size),
            (Some("body"), Some(9_000_000))
        );
        assert_eq!(cell.limit, 8 << 20);
        let row = guard.oversize(&error(&guard, "row:17000000"), &columns());
        let row = row.expect("a row");
        assert_eq!((row.column, row.limit), (None, 16 << 20));
        for foreign in [
            error(&other, "1:9000000"),
            "invalid input syntax for type bigint: \"waybill:1:9000000\"".to_owned(),
            String::new(),
        ] {
            assert_eq!(guard.oversize(&foreign, &columns()), None, "{foreign}");
        }
    }

    #[test]
    fn what_has_no_text_is_left_as_it_is() {
        let guard = SizeGuard::new(SizeLimits::of_export(8 << 20));
        assert_eq!(guard.wrap("SELECT 1", &columns()[..1]), "SELECT 1");
    }
}
