//! A TOML file as its author sees it: the line a value stands on, and the name that was nearly right.
//!
//! Owns positions and syntax faults. What the keys mean is the business of [`waybill_report::catalog`] and
//! [`crate`].

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// A TOML document whose tree can be judged, because its syntax is sound.
#[derive(Debug)]
pub struct Document<'a> {
    /// The root table; its keys and values know their spans.
    pub table: DeTable<'a>,
    /// Keys that were given twice. The first value stands in the tree, so the rest can still be judged.
    pub duplicates: Vec<SyntaxFault>,
    lines: Lines,
}

/// Something that is no TOML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxFault {
    /// 1-based.
    pub line: usize,
    /// What is wrong, in one line.
    pub message: String,
}

impl<'a> Document<'a> {
    /// Reads the text. Where the syntax is broken the tree is incomplete, and judging it would blame
    /// the author for keys that the parser lost; so then there are syntax faults and nothing else.
    pub fn parse(text: &'a str) -> Result<Self, Vec<SyntaxFault>> {
        let lines = Lines::of(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut broken: Vec<SyntaxFault> = Vec::new();
        let mut duplicates = Vec::new();
        for error in errors {
            let span = error.span().unwrap_or(text.len()..text.len());
            let line = lines.of_offset(span.start);
            if error.message() == "duplicate key" {
                let key = text.get(span).unwrap_or_default();
                let message = format!("duplicate key {key}");
                duplicates.push(SyntaxFault { line, message });
            } else if broken.iter().all(|fault| fault.line != line) {
                // What follows the first fault of a line is mostly its echo.
                let message = error.message().replace('\n', " ");
                broken.push(SyntaxFault { line, message });
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

    /// The 1-based line of every key, by its dotted path.
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

    /// The 1-based line on which a span begins.
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

/// Appends a key to a dotted path, quoted where TOML would want quotes, so that a path is one line.
pub fn dotted(path: &str, key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let key = if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        format!("{key:?}")
    };
    if path.is_empty() {
        key
    } else {
        format!("{path}.{key}")
    }
}

/// The candidate that `name` was probably meant to be, if one is close enough.
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // A third of the letters may be wrong: enough for typing errors, too little for other words.
    let allowed = name.chars().count().max(3) / 3;
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|&(distance, _)| distance <= allowed)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut last = None;
    for (i, left) in a.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, &right) in b.iter().enumerate() {
            let replaced = above[j] + usize::from(left != right);
            let mut best = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if j > 0 && last == Some(right) && b[j - 1] == left {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
        last = Some(left);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_its_word_and_another_word_does_not() {
        let names = ["table", "sql", "grain", "tenant", "description"];
        assert_eq!(nearest("tabel", names), Some("table"));
        assert_eq!(nearest("tennant", names), Some("tenant"));
        assert_eq!(nearest("desc", names), None);
        assert_eq!(nearest("colour", names), None);
        assert_eq!(nearest("", names), None);
    }

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
            [SyntaxFault {
                line: 3,
                message: "duplicate key a".to_owned()
            }]
        );
        assert_eq!(document.table.len(), 1);
    }

    #[test]
    fn a_path_quotes_what_is_not_a_bare_key() {
        assert_eq!(
            dotted(&dotted("datasets", "a b\n"), "sql"),
            r#"datasets."a b\n".sql"#
        );
    }
}
