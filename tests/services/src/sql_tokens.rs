//! A reader of SQL that knows where literals, names and comments begin and end, and nothing else.
//!
//! Written from the manuals of the two databases and from nothing that writes SQL here, so that
//! tests can ask it what a database would read.

use std::iter::Peekable;
use std::str::Chars;

/// Whose rules are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// SQLite's.
    Sqlite,
    /// PostgreSQL's.
    Postgres {
        /// The setting `standard_conforming_strings`. Off, a backslash escapes in every text.
        conforming: bool,
    },
}

/// One token; white space and comments are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A literal text, as what it means.
    Text(String),
    /// A quoted name.
    Name(String),
    /// A bare word or a number.
    Word(String),
    /// Anything else.
    Sign(char),
}

/// The tokens of a text.
///
/// # Errors
/// What is left open at its end.
pub fn tokens(sql: &str, grammar: Grammar) -> Result<Vec<Token>, &'static str> {
    let mut reader = Reader {
        rest: sql.chars().peekable(),
        grammar,
    };
    let mut tokens = Vec::new();
    while let Some(token) = reader.token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

/// Whether every parenthesis is closed and none but an open one is, with no statement after the first.
pub fn is_one_balanced_statement(tokens: &[Token]) -> bool {
    let mut depth = 0_usize;
    for token in tokens {
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') if depth == 0 => return false,
            Token::Sign(')') => depth -= 1,
            Token::Sign(';') => return false,
            _ => {}
        }
    }
    depth == 0
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    grammar: Grammar,
}

impl Reader<'_> {
    fn token(&mut self) -> Result<Option<Token>, &'static str> {
        self.skip_blank()?;
        let Some(first) = self.rest.next() else {
            return Ok(None);
        };
        let postgres = matches!(self.grammar, Grammar::Postgres { .. });
        let token = match first {
            '\'' => {
                Token::Text(self.text(self.grammar == Grammar::Postgres { conforming: false })?)
            }
            'e' | 'E' if postgres && self.rest.next_if_eq(&'\'').is_some() => {
                Token::Text(self.text(true)?)
            }
            '"' => Token::Name(self.name('"')?),
            '`' if !postgres => Token::Name(self.name('`')?),
            '[' if !postgres => Token::Name(self.bracketed()?),
            '$' if postgres => self.dollar()?,
            first if begins_word(first) => {
                let mut word = String::from(first);
                while let Some(c) = self.rest.next_if(|c| is_word(*c)) {
                    word.push(c);
                }
                Token::Word(word)
            }
            first if first.is_ascii_digit() => {
                let mut number = String::from(first);
                let in_number = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
                while let Some(c) = self.rest.next_if(in_number) {
                    number.push(c);
                }
                Token::Word(number)
            }
            sign => Token::Sign(sign),
        };
        Ok(Some(token))
    }

    /// White space and comments.
    fn skip_blank(&mut self) -> Result<(), &'static str> {
        loop {
            let mut ahead = self.rest.clone();
            match (ahead.next(), ahead.next()) {
                (Some(c), _) if c.is_ascii_whitespace() || c == '\u{b}' => {
                    self.rest.next();
                }
                (Some('-'), Some('-')) => while self.rest.next_if(|c| *c != '\n').is_some() {},
                (Some('/'), Some('*')) => {
                    self.rest = ahead;
                    self.skip_comment()?;
                }
                _ => return Ok(()),
            }
        }
    }

    /// The rest of a comment; PostgreSQL's hold others.
    fn skip_comment(&mut self) -> Result<(), &'static str> {
        let nests = self.grammar != Grammar::Sqlite;
        let mut depth = 1;
        while depth > 0 {
            match self.rest.next().ok_or("a comment")? {
                '*' if self.rest.next_if_eq(&'/').is_some() => depth -= 1,
                '/' if nests && self.rest.next_if_eq(&'*').is_some() => depth += 1,
                _ => {}
            }
        }
        Ok(())
    }

    /// The rest of a text, and of those that continue it.
    fn text(&mut self, escapes: bool) -> Result<String, &'static str> {
        let mut text = String::new();
        loop {
            match self.rest.next().ok_or("a text")? {
                '\\' if escapes => match self.rest.next().ok_or("a text")? {
                    'b' => text.push('\u{8}'),
                    'f' => text.push('\u{c}'),
                    'n' => text.push('\n'),
                    'r' => text.push('\r'),
                    't' => text.push('\t'),
                    // Numbers of characters are not needed here; they end no text.
                    other => text.push(other),
                },
                '\'' if self.rest.next_if_eq(&'\'').is_some() => text.push('\''),
                '\'' if self.continues() => {}
                '\'' => return Ok(text),
                other => text.push(other),
            }
        }
    }

    /// Whether another text follows on a later line: to PostgreSQL it is part of this one.
    fn continues(&mut self) -> bool {
        if self.grammar == Grammar::Sqlite {
            return false;
        }
        let mut ahead = self.rest.clone();
        let mut line_ended = false;
        loop {
            match ahead.next() {
                Some('\'') if line_ended => {
                    self.rest = ahead;
                    return true;
                }
                Some('\n' | '\r') => line_ended = true,
                Some(' ' | '\t' | '\u{b}' | '\u{c}') => {}
                Some('-') if ahead.next_if_eq(&'-').is_some() => {
                    while ahead.next_if(|c| !matches!(c, '\n' | '\r')).is_some() {}
                }
                _ => return false,
            }
        }
    }

    fn name(&mut self, quote: char) -> Result<String, &'static str> {
        let mut name = String::new();
        loop {
            match self.rest.next().ok_or("a name")? {
                c if c == quote && self.rest.next_if_eq(&quote).is_none() => return Ok(name),
                c => name.push(c),
            }
        }
    }

    fn bracketed(&mut self) -> Result<String, &'static str> {
        let mut name = String::new();
        loop {
            match self.rest.next().ok_or("a name")? {
                ']' => return Ok(name),
                c => name.push(c),
            }
        }
    }

    /// `$$…$$`, `$tag$…$tag$`, or only a sign.
    fn dollar(&mut self) -> Result<Token, &'static str> {
        let mut ahead = self.rest.clone();
        let mut tag = String::new();
        loop {
            match ahead.next() {
                Some('$') => break,
                Some(c) if begins_word(c) || !tag.is_empty() && is_word(c) => tag.push(c),
                _ => return Ok(Token::Sign('$')),
            }
        }
        let end = format!("${tag}$");
        let mut text = String::new();
        while !text.ends_with(&end) {
            text.push(ahead.next().ok_or("a text between dollars")?);
        }
        text.truncate(text.len() - end.len());
        self.rest = ahead;
        Ok(Token::Text(text))
    }
}

fn begins_word(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

fn is_word(c: char) -> bool {
    begins_word(c) || c.is_ascii_digit() || c == '$'
}

#[test]
fn texts_end_where_the_manuals_say() {
    use Token::{Name, Sign, Text, Word};
    const CONFORMING: Grammar = Grammar::Postgres { conforming: true };
    const ESCAPING: Grammar = Grammar::Postgres { conforming: false };
    let text = |text: &str| Text(text.to_owned());
    let word = |word: &str| Word(word.to_owned());
    for (grammar, sql, expected) in [
        (CONFORMING, r"'it''s \'", vec![text(r"it's \")]),
        (ESCAPING, r"'\'' 1", vec![text("'"), word("1")]),
        (CONFORMING, r"E'a\\\'b'", vec![text(r"a\'b")]),
        (CONFORMING, r"type'\'", vec![word("type"), text("\\")]),
        (CONFORMING, "'a' -- '\n 'b'", vec![text("ab")]),
        (CONFORMING, "'a' 'b'", vec![text("a"), text("b")]),
        (
            CONFORMING,
            "$x$;'$x$ $1",
            vec![text(";'"), Sign('$'), word("1")],
        ),
        (
            CONFORMING,
            "a$$ \"b\"\"\"",
            vec![word("a$$"), Name("b\"".to_owned())],
        ),
        (CONFORMING, "/* /* */ ' */ 1", vec![word("1")]),
        (Grammar::Sqlite, r"'\' -- '", vec![text("\\")]),
        (
            Grammar::Sqlite,
            "'a'\n'b' [c'd]",
            vec![text("a"), text("b"), Name("c'd".to_owned())],
        ),
    ] {
        assert_eq!(tokens(sql, grammar), Ok(expected), "{sql}");
    }
    for open in ["'", "'\\'", "\"", "$a$ $b$", "/* /* */"] {
        assert!(tokens(open, ESCAPING).is_err(), "{open}");
    }
}
