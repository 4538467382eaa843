//! What the SQL texts of a catalog must look like.
//!
//! SQL here is trusted, not understood: the checks find the slips that would break out of the place
//! in which a statement puts the text. Whether it is right is for the source to say.
//!
//! By hand, because a parser's grammar is not the server's: sqlparser 0.64 refuses expressions that
//! PostgreSQL takes (`a ISNULL`, `f(VARIADIC a)`, strings that go on in the next line), and takes some that
//! break out (in `a ||/* b` it reads an operator, and the server a comment).

use std::iter::Peekable;
use std::str::CharIndices;

/// Refuses what is not one SQL expression or query that stays within the parentheses it will be put in.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut depth = 0_usize;
    let mut chars = text.char_indices().peekable();
    // Where the word began that the last character belongs to.
    let mut word = None;
    // PostgreSQL joins strings that whitespace with a line's end and line comments part: the next one
    // is escaped as the first is.
    let (mut after_escaped, mut line_ended) = (false, false);
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|&(_, next)| next);
        let word_start = word.take();
        let before = word_start.map_or("", |start| &text[start..at]);
        match c {
            // Servers differ in where such a number ends.
            '\'' | '$' if before.starts_with(|c: char| c.is_ascii_digit()) => {
                return fault("has a string or a $ right behind a number");
            }
            '\'' => {
                let escaped = matches!(before, "e" | "E") || after_escaped && line_ended;
                skip_quoted(&mut chars, '\'', escaped)?;
                (after_escaped, line_ended) = (escaped, false);
                continue;
            }
            '-' if next == Some('-') => {
                skip_line(&mut chars)?;
                line_ended = true;
                continue;
            }
            c if c.is_ascii_whitespace() => {
                line_ended |= matches!(c, '\n' | '\r');
                continue;
            }
            ';' => return fault("must be one statement, without ;"),
            '(' => depth += 1,
            ')' if depth == 0 => return fault("closes a parenthesis that it did not open"),
            ')' => depth -= 1,
            '"' => skip_quoted(&mut chars, '"', false)?,
            '/' if next == Some('*') => skip_block(&mut chars)?,
            '$' if before.is_empty() => skip_dollar_quoted(&mut chars, &text[at..])?,
            c if is_word(c) => word = Some(word_start.unwrap_or(at)),
            _ => {}
        }
        after_escaped = false;
    }
    match depth {
        0 => Ok(()),
        _ => fault("leaves a parenthesis open"),
    }
}

fn fault(message: &str) -> Result<(), String> {
    Err(message.to_owned())
}

/// Whether a word goes on with this. To PostgreSQL every character beyond ASCII is a letter.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

fn skip_quoted(
    chars: &mut Peekable<CharIndices<'_>>,
    quote: char,
    escaped: bool,
) -> Result<(), String> {
    while let Some((_, c)) = chars.next() {
        if escaped && c == '\\' {
            chars.next();
        } else if c == quote && chars.next_if(|&(_, next)| next == quote).is_none() {
            return Ok(());
        }
    }
    Err(format!("leaves a {quote} open"))
}

fn skip_line(chars: &mut Peekable<CharIndices<'_>>) -> Result<(), String> {
    match chars.any(|(_, c)| c == '\n') {
        true => Ok(()),
        false => fault("ends in a -- comment, which would hide what follows it; use /* */"),
    }
}

fn skip_block(chars: &mut Peekable<CharIndices<'_>>) -> Result<(), String> {
    chars.next();
    while let Some((_, c)) = chars.next() {
        let next = chars.peek().map(|&(_, next)| next);
        match (c, next) {
            ('*', Some('/')) => {
                chars.next();
                return Ok(());
            }
            // PostgreSQL nests comments and SQLite does not, so such a text means two things.
            ('/', Some('*')) => return fault("has a comment within a comment"),
            _ => {}
        }
    }
    fault("leaves a /* comment open")
}

/// Skips `$tag$ … $tag$`, of which the first `$` is behind the iterator already; `rest` begins with it.
/// A `$` that begins none, as in `$1`, is a sign of its own.
fn skip_dollar_quoted(chars: &mut Peekable<CharIndices<'_>>, rest: &str) -> Result<(), String> {
    let tag_length = rest[1..].find(|c| !is_word(c) || c == '$');
    let Some(end) = tag_length.map(|length| length + 2) else {
        return Ok(());
    };
    let tag = rest.get(..end).unwrap_or_default();
    if !tag.ends_with('$') || tag[1..].starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(());
    }
    let Some(close) = rest[end..].find(tag) else {
        return Err(format!("leaves a {tag} open"));
    };
    let skipped = rest[..end + close + tag.len()].chars().count() - 1;
    chars.nth(skipped - 1);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_may_hide_anything_in_quotes_and_comments() {
        for good in [
            "status",
            "coalesce(title, ';')",
            "'it''s ;('",
            "\"odd;)name\"",
            r"E'a\';b'",
            "E'a'\n-- and\n'b\\';c'",
            "one -- ;(\n + 1",
            "one /* ;( ' */ + 1",
            "$$;)'$$ || $é$;$$;$é$",
            "price$1 + $1",
            "a - -1 / b",
            "$$a$$||$$;$$",
            "a ISNULL",
            "f(VARIADIC a)",
            "→$$ + a",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn sql_that_breaks_out_of_its_place_is_refused() {
        for (bad, why) in [
            ("a; DROP TABLE b", ";"),
            ("(a", "open"),
            ("a) FROM b --", "parenthesis"),
            ("'a", "leaves a '"),
            (r"'a\';b'", ";"),
            (r"type'a\';b'", ";"),
            ("E'a'\n'\\''; DROP TABLE b /*'*/", ";"),
            ("E'a' || '\\'; DROP TABLE b /*'*/", ";"),
            ("\"a", "leaves a \""),
            ("a -- b", "comment"),
            ("a /* b", "comment"),
            ("a ||/* b", "comment"),
            ("a /* /* */ b", "comment"),
            ("$x$ ; $y$", "leaves a $x$ open"),
            ("$a ;", ";"),
            // What ends a string begins no word, so that another string may follow at once.
            ("$a$$a$$$", "leaves a $$ open"),
            ("$$a$$$$'$$; DROP TABLE b /*'*/", ";"),
            (r"$$a$$e'\''; DROP TABLE b /*'*/", ";"),
            ("$1$$'$$; DROP TABLE b /*'*/", "number"),
            ("1é$$ $$", "number"),
            (r"$E'a''\'", "leaves a '"),
            // Only on another line does a string continue the one before.
            (r"E'a' '\'; DROP TABLE b /*'*/", ";"),
            ("E'a'\u{a0}\n'\\'; DROP TABLE b /*'*/", ";"),
        ] {
            let message = check(bad).expect_err(bad);
            assert!(message.contains(why), "{bad}: {message}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_judged(text in r#"[ae1$é→;'"()/*\n\\-]{0,12}"#) {
            // Whatever stays within its parentheses does so again inside a pair of them.
            assert!(check(&text).is_err() || check(&format!("({text})")).is_ok());
        }
    }
}
