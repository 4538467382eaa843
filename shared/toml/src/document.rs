//! The tree of a file and the lines of its values.
//!
//! By `toml`'s own tree with spans, because its parser alone goes on behind a mistake: `toml_edit` and
//! `toml_span` tell the first one only.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::fault::Fault;
use crate::name::dotted;

/// A TOML document whose tree can be judged, because its syntax is sound.
#[derive(Debug)]
pub struct Document<'a> {
    /// The root table; its keys and values know their spans.
    pub table: DeTable<'a>,
    /// Keys that were given twice. The first value stands in the tree, so the rest can still be judged.
    pub duplicates: Vec<Fault>,
    lines: Lines,
}

impl<'a> Document<'a> {
    /// Reads the text. Where the syntax is broken the tree is incomplete, and judging it would blame
    /// the author for keys that the parser lost; so then there are syntax faults and nothing else.
    ///
    /// # Errors
    /// The first fault of every broken line, by line.
    pub fn parse(text: &'a str) -> Result<Self, Vec<Fault>> {
        let lines = Lines::of(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut broken: Vec<Fault> = Vec::new();
        let mut duplicates = Vec::new();
        for error in errors {
            let span = error.span().unwrap_or(text.len()..text.len());
            let line = lines.of_offset(span.start);
            if error.message() == "duplicate key" {
                let key = text.get(span).unwrap_or_default();
                let message = format!("duplicate key {key}");
                duplicates.push(Fault::of_syntax(line, message));
            } else if broken.iter().all(|fault| fault.line != line) {
                // What follows the first fault of a line is mostly its echo.
                let message = error.message().replace('\n', " ");
                broken.push(Fault::of_syntax(line, message));
            }
        }
        if broken.is_empty() {
            let table = table.into_inner();
            Ok(Self {
                table,
                duplicates,
                lines,
            })
        } else {
            broken.extend(duplicates);
            broken.sort_by_key(|fault| fault.line);
            Err(broken)
        }
    }

    /// Returns the 1-based line of every key, by its dotted path.
    #[must_use]
    pub fn key_lines(&self) -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        self.collect_key_lines(&self.table, "", &mut found);
        found
    }

    fn collect_key_lines(
        &self,
        table: &DeTable<'_>,
        path: &str,
        found: &mut BTreeMap<String, usize>,
    ) {
        for (key, value) in table {
            let path = dotted(path, key.get_ref());
            found.insert(path.clone(), self.line(&key.span()));
            if let DeValue::Table(inner) = value.get_ref() {
                self.collect_key_lines(inner, &path, found);
            }
        }
    }

    /// Returns the 1-based line on which a span begins.
    #[must_use]
    pub fn line(&self, span: &Range<usize>) -> usize {
        self.lines.of_offset(span.start)
    }
}

#[derive(Debug)]
struct Lines {
    /// Byte offset of the first byte of every line but the first.
    starts: Vec<usize>,
}

impl Lines {
    fn of(text: &str) -> Self {
        let starts = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        Self { starts }
    }

    fn of_offset(&self, offset: usize) -> usize {
        self.starts.partition_point(|&start| start <= offset) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_document_reports_every_broken_line_once() {
        let text = "a = 1\nb = = 2\nc = 3\nd = \"x\n";
        let faults = Document::parse(text).expect_err("two lines are broken");
        let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [2, 4], "{faults:?}");
    }

    #[test]
    fn a_duplicate_key_leaves_the_tree_to_be_judged() {
        let document = Document::parse("a = 1\r\n\r\na = 2\r\n").expect("the syntax is sound");
        assert_eq!(
            document.duplicates,
            [Fault::of_syntax(3, "duplicate key a".to_owned())]
        );
        assert_eq!(document.table.len(), 1);
    }
}
