//! A catalog as text. Whatever a name holds, it stays within its comment or its quotes.

use crate::column::ColumnType;

/// A TOML file that is being written.
#[derive(Debug, Default)]
pub(super) struct Text {
    lines: String,
    /// Whether settings are written as comments.
    pub(super) disabled: bool,
}

impl Text {
    pub(super) fn into_string(self) -> String {
        self.lines
    }

    /// A comment for people.
    pub(super) fn comment(&mut self, comment: &str) {
        self.lines.push_str("# ");
        self.lines.extend(comment.chars().flat_map(within_line));
        self.lines.push('\n');
    }

    /// An empty line.
    pub(super) fn gap(&mut self) {
        self.lines
            .push_str(if self.disabled { "#\n" } else { "\n" });
    }

    /// A line of TOML.
    pub(super) fn line(&mut self, line: &str) {
        if self.disabled {
            self.lines.push_str("# ");
        }
        self.lines.push_str(line);
        self.lines.push('\n');
    }

    /// A setting that is a text.
    pub(super) fn setting(&mut self, key: &str, value: &str) {
        self.line(&format!("{key} = {}", quoted(value)));
    }

    /// A dimension or measure.
    pub(super) fn field(&mut self, name: &str, sql: &str, column_type: ColumnType) {
        self.line(&format!(
            "{name} = {{ sql = {}, type = \"{column_type}\" }}",
            quoted(sql)
        ));
    }
}

/// A character as it may stand in a comment: one that ends the line or is none is shown by its number.
fn within_line(c: char) -> impl Iterator<Item = char> {
    let hidden = c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = (!hidden).then_some(c);
    let escaped = hidden.then(|| c.escape_unicode()).into_iter().flatten();
    shown.into_iter().chain(escaped)
}

/// A text as TOML: without escapes where it needs none.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |c: char| within_line(c).eq([c]);
    if text.chars().all(is_plain) {
        if !text.contains(['"', '\\']) {
            return format!("\"{text}\"");
        }
        if !text.contains('\'') {
            return format!("'{text}'");
        }
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if is_plain(c) => quoted.push(c),
            c => quoted.push_str(&format!("\\U{:08X}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}
