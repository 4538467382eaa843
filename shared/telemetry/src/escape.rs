//! Texts from outside in a line of text: whatever they hold, the line stays one line, and a terminal
//! obeys none of it.

use std::fmt::{self, Debug, Display, Write};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// A text in which whatever would end the line, or command a terminal, is spelt out.
#[must_use]
pub fn escaped(text: &str) -> impl Display {
    fmt::from_fn(move |formatter| Escaping(formatter).write_str(text))
}

/// Passes on what it is given, spelt out where need be.
struct Escaping<W>(W);

impl<W: Write> Write for Escaping<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(place) = rest.find(is_command) {
            let (plain, from) = rest.split_at(place);
            self.0.write_str(plain)?;
            let mut characters = from.chars();
            match characters.next() {
                Some('\n') => self.0.write_str("\\n")?,
                Some('\r') => self.0.write_str("\\r")?,
                Some('\t') => self.0.write_str("\\t")?,
                Some(other) => write!(self.0, "{}", other.escape_unicode())?,
                None => {}
            }
            rest = characters.as_str();
        }
        self.0.write_str(rest)
    }
}

/// Control characters, other ends of lines, and what turns the direction of writing.
fn is_command(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}

/// Writes the fields of an event or a span as `message name=value …`, escaped whatever they are.
#[derive(Debug)]
pub(super) struct EscapedFields;

impl<'writer> FormatFields<'writer> for EscapedFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut visitor = Visitor {
            writer: Escaping(writer),
            separator: "",
            result: Ok(()),
        };
        fields.record(&mut visitor);
        visitor.result
    }
}

struct Visitor<'writer> {
    writer: Escaping<Writer<'writer>>,
    separator: &'static str,
    result: fmt::Result,
}

impl Visitor<'_> {
    fn write(&mut self, name: &str, value: fmt::Arguments<'_>) {
        if self.result.is_err() {
            return;
        }
        let separator = std::mem::replace(&mut self.separator, " ");
        self.result = match name {
            "message" => write!(self.writer, "{separator}{value}"),
            _ => write!(self.writer, "{separator}{name}={value}"),
        };
    }
}

impl Visit for Visitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.write("message", format_args!("{value}")),
            name => self.write(name, format_args!("{value:?}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            // What `log` adds to a record says where in the code it was made.
            name if name.starts_with("log.") => {}
            name => self.write(name.trim_start_matches("r#"), format_args!("{value:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    /// What an attacker has in a cell.
    const CELL: &str = "x\n2026-01-01T00:00:00Z ERROR forged\r\u{1b}[2J\u{9b}31m\u{2028}\u{202e}\0";

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn whatever_comes_from_outside_stays_within_its_line() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(EscapedFields)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let error = io::Error::other(CELL);
            let span = tracing::info_span!("request", path = CELL, late = tracing::field::Empty);
            let _entered = span.enter();
            span.record("late", tracing::field::display(CELL));
            tracing::error!("{CELL}");
            tracing::error!(cause = %error, debug = ?error, text = CELL, "a message");
            tracing::error!(cause = &error as &dyn std::error::Error, "a message");
            tracing::error!(r#type = CELL, number = 1, "a message");
        });
        let written = lines.0.lock().clone();
        let written = String::from_utf8(written).expect("UTF-8");
        assert_eq!(written.matches('\n').count(), 4, "{written}");
        let commands: Vec<char> = written.chars().filter(|one| is_command(*one)).collect();
        assert_eq!(commands, ['\n'; 4], "{written}");
        assert_eq!(written.matches("ERROR forged").count(), 14, "{written}");
        assert!(written.contains("a message type="), "{written}");
        assert!(written.contains(" number=1"), "{written}");
    }

    #[test]
    fn what_is_plain_stays_as_it_is() {
        for plain in ["", "a", "Grüße, 東京 🎉", "a \\ \"b\""] {
            assert_eq!(escaped(plain).to_string(), plain);
        }
        assert_eq!(escaped("a\nb\tc\u{7f}").to_string(), "a\\nb\\tc\\u{7f}");
    }
}
