//! A database's own words about a row, fit for a log: nothing in them is the row's content.

/// The longest text that is kept, in characters.
const LONGEST: usize = 300;
/// What stands where something was left out.
const LEFT_OUT: &str = "…";

/// The text on one line and without what it quotes, in whichever language. Databases quote the values
/// that they complain about and escape nothing in them, so that everything from the first quotation
/// mark to the last one goes, and bytes in hexadecimal.
pub(super) fn without_values(text: &str) -> String {
    let first = text.find(is_quote);
    let last = text.char_indices().rev().find(|(_, c)| is_quote(*c));
    let (before, after) = match (first, last) {
        (Some(first), Some((last, quote))) if last > first => {
            (&text[..first], &text[last + quote.len_utf8()..])
        }
        // A quotation that was cut off.
        (Some(first), _) => (&text[..first], ""),
        (None, _) => (text, ""),
    };
    let mut kept = without_bytes(before);
    if first.is_some() {
        kept.push_str(LEFT_OUT);
        kept.push_str(&without_bytes(after));
    }
    let one_line = kept.chars().flat_map(|c| {
        let escaped = c.is_control() || is_invisible(c);
        let plain = (!escaped).then_some(c);
        plain
            .into_iter()
            .chain(escaped.then(|| c.escape_default()).into_iter().flatten())
    });
    let mut one_line: String = one_line.take(LONGEST + 1).collect();
    if one_line.chars().count() > LONGEST {
        one_line.pop();
        one_line.push_str(LEFT_OUT);
    }
    one_line
}

fn is_quote(c: char) -> bool {
    matches!(
        c,
        '"' | '\'' | '`' | '«' | '»' | '‹' | '›' | '‘'..='‟' | '「'..='』' | '＂' | '＇'
    )
}

/// Line separators, and marks that turn the direction of a text.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The words of a text, those that are a byte in hexadecimal left out.
fn without_bytes(text: &str) -> String {
    let words: Vec<&str> = text
        .split(' ')
        .map(|word| {
            if word.starts_with("0x") {
                LEFT_OUT
            } else {
                word
            }
        })
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_left_out() {
        for (told, expected) in [
            ("division by zero", "division by zero"),
            (
                "invalid input syntax for type integer: \"secret\"",
                "invalid input syntax for type integer: …",
            ),
            (
                "value \"99999999999\" is out of range for type integer",
                "value … is out of range for type integer",
            ),
            (
                "ungültige Eingabesyntax für Typ integer: »secret«",
                "ungültige Eingabesyntax für Typ integer: …",
            ),
            ("syntaxe invalide : « secret » ", "syntaxe invalide : … "),
            (
                "invalid byte sequence for encoding \"UTF8\": 0xe2 0x82",
                "invalid byte sequence for encoding …: … …",
            ),
            ("bad JSON path: 'secret'", "bad JSON path: …"),
            ("malformed: \"secret", "malformed: …"),
            ("one\nline\u{202e}", "one\\nline\\u{202e}"),
            ("", ""),
        ] {
            assert_eq!(without_values(told), expected);
        }
        assert!(without_values(&"x".repeat(10_000)).chars().count() <= LONGEST + 1);
    }

    proptest::proptest! {
        #[test]
        fn no_value_survives_its_quotation(value in "[^X]{0,40}", quotes in "[\"'«`]") {
            let kept = without_values(&format!("no number: {quotes}X{value}X{quotes}"));
            assert!(!kept.contains('X'), "{kept}");
            assert!(!kept.contains('\n'));
        }
    }
}
