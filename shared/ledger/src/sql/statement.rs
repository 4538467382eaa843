//! Statements that are written once for both engines, and whose parameters are counted against what is
//! bound when the program is compiled.
//!
//! A statement is a text with parameters `$1`, `$2`, … and a few words in braces for what the dialects
//! say differently. [`on_postgres`] and [`on_sqlite`] put an engine's words in, compare the parameters
//! with the values that follow, and make a query of them: a parameter without a value does not compile.
//!
//! ```text
//! on_postgres!(query, "UPDATE {waybill}exports SET completed_at = {now} WHERE id = $1", id)
//!   UPDATE waybill.exports SET completed_at = now() WHERE id = $1
//! on_sqlite!(query, "UPDATE {waybill}exports SET completed_at = {now} WHERE id = $1", id, micros(now))
//!   UPDATE exports SET completed_at = $2 WHERE id = $1
//! ```

/// How one engine says what differs.
pub(crate) struct Dialect {
    /// A word in braces, and what stands for it.
    words: [(&'static str, &'static str); 4],
    /// The instant of the transaction. `None`: the clock is the process's, and now is bound after all
    /// other parameters.
    now: Option<&'static str>,
}

/// The database may be somebody's own, so every name is in full. What another process has locked is
/// left to it.
pub(crate) const POSTGRES: Dialect = Dialect {
    words: [
        ("waybill", "waybill."),
        ("skip_locked", "FOR UPDATE SKIP LOCKED"),
        ("no_time", "'0'"),
        ("greatest", "greatest"),
    ],
    now: Some("now()"),
};

/// There is one writer. Spans and instants are integers.
pub(crate) const SQLITE: Dialect = Dialect {
    words: [
        ("waybill", ""),
        ("skip_locked", ""),
        ("no_time", "0"),
        ("greatest", "max"),
    ],
    now: None,
};

const LONGEST: usize = 4_096;

/// A statement in the words of one engine.
pub(crate) struct Rendered {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Rendered {
    pub(crate) const fn of(template: &str, dialect: &Dialect) -> Self {
        let mut rendered = Self {
            bytes: [0; LONGEST],
            length: 0,
        };
        let now = parameters(template) + 1;
        let template = template.as_bytes();
        let mut at = 0;
        while at < template.len() {
            if template[at] == b'{' {
                let mut end = at + 1;
                while template[end] != b'}' {
                    end += 1;
                }
                let word = template.split_at(end).0.split_at(at + 1).1;
                rendered.say(word, dialect, now);
                at = end;
            } else {
                rendered.push(&[template[at]]);
            }
            at += 1;
        }
        rendered
    }

    const fn say(&mut self, word: &[u8], dialect: &Dialect, now: usize) {
        if is_same(word, b"now") {
            match dialect.now {
                Some(text) => self.push(text.as_bytes()),
                None if now < 10 => self.push(&[b'$', b'0' + now as u8]),
                None => self.push(&[b'$', b'0' + (now / 10) as u8, b'0' + (now % 10) as u8]),
            }
            return;
        }
        let mut known = 0;
        while known < dialect.words.len() {
            let (name, text) = dialect.words[known];
            if is_same(word, name.as_bytes()) {
                self.push(text.as_bytes());
                return;
            }
            known += 1;
        }
        panic!("a word that no dialect has");
    }

    const fn push(&mut self, text: &[u8]) {
        let mut at = 0;
        while at < text.len() {
            self.bytes[self.length] = text[at];
            self.length += 1;
            at += 1;
        }
    }

    pub(crate) const fn length(&self) -> usize {
        self.length
    }

    /// The bytes that are used, which are `LENGTH`.
    pub(crate) const fn bytes<const LENGTH: usize>(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        let mut at = 0;
        while at < LENGTH {
            bytes[at] = self.bytes[at];
            at += 1;
        }
        bytes
    }
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

pub(crate) const fn text(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("a statement is text"),
    }
}

/// How many parameters a statement has. Panics, so that it does not compile, where one is left out.
pub(crate) const fn parameters(statement: &str) -> usize {
    let bytes = statement.as_bytes();
    let (mut seen, mut highest, mut at) = (0_u64, 0, 0);
    while at < bytes.len() {
        if bytes[at] == b'$' {
            let mut number = 0;
            while at + 1 < bytes.len() && bytes[at + 1].is_ascii_digit() {
                at += 1;
                number = number * 10 + (bytes[at] - b'0') as usize;
            }
            assert!(number > 0, "a parameter has a number");
            seen |= 1 << (number - 1);
            if number > highest {
                highest = number;
            }
        }
        at += 1;
    }
    assert!(
        seen.count_ones() as usize == highest,
        "a parameter is left out"
    );
    highest
}

/// Panics, so that it does not compile, unless a statement has as many parameters as values are bound.
pub(crate) const fn assert_bound(statement: &str, values: usize) {
    assert!(
        parameters(statement) == values,
        "a statement has another number of parameters than of values that are bound"
    );
}

macro_rules! rendered {
    ($dialect:ident, $template:expr) => {{
        const RENDERED: $crate::sql::statement::Rendered =
            $crate::sql::statement::Rendered::of($template, &$crate::sql::statement::$dialect);
        const BYTES: [u8; RENDERED.length()] = RENDERED.bytes();
        const TEXT: &str = $crate::sql::statement::text(&BYTES);
        TEXT
    }};
}

macro_rules! bound {
    ($dialect:ident, $query:ident, $template:expr, [$($value:expr),*]) => {{
        const STATEMENT: &str = $crate::sql::statement::rendered!($dialect, $template);
        const {
            $crate::sql::statement::assert_bound(
                STATEMENT,
                <[&str]>::len(&[$(stringify!($value)),*]),
            );
        }
        sqlx::$query(STATEMENT)$(.bind($value))*
    }};
}

/// A query of PostgreSQL: `query`, `query_as` or `query_scalar`, its statement, the values of its
/// parameters.
macro_rules! on_postgres {
    ($query:ident, $template:expr $(, $value:expr)* $(,)?) => {
        $crate::sql::statement::bound!(POSTGRES, $query, $template, [$($value),*])
    };
}

/// A query of SQLite, as [`on_postgres`]. Where the statement says `{now}`, the last value is now.
macro_rules! on_sqlite {
    ($query:ident, $template:expr $(, $value:expr)* $(,)?) => {
        $crate::sql::statement::bound!(SQLITE, $query, $template, [$($value),*])
    };
}

pub(crate) use {bound, on_postgres, on_sqlite, rendered};

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    const BOTH: &str = "
UPDATE {waybill}leftovers SET look_at = {now} + $2
WHERE object_key IN (SELECT object_key FROM {waybill}leftovers WHERE looks = $1 {skip_locked})
  AND {greatest}($3, {no_time}) > $10 + $9 + $8 + $7 + $6 + $5 + $4";

    #[test]
    fn each_engine_has_its_words() {
        let postgres = "
UPDATE waybill.leftovers SET look_at = now() + $2
WHERE object_key IN (SELECT object_key FROM waybill.leftovers WHERE looks = $1 FOR UPDATE SKIP LOCKED)
  AND greatest($3, '0') > $10 + $9 + $8 + $7 + $6 + $5 + $4";
        assert_eq!(rendered!(POSTGRES, BOTH), postgres);
        let sqlite = "
UPDATE leftovers SET look_at = $11 + $2
WHERE object_key IN (SELECT object_key FROM leftovers WHERE looks = $1 )
  AND max($3, 0) > $10 + $9 + $8 + $7 + $6 + $5 + $4";
        assert_eq!(rendered!(SQLITE, BOTH), sqlite);
        assert_eq!(rendered!(SQLITE, "SELECT {now}"), "SELECT $1");
    }

    #[test]
    fn parameters_are_counted() {
        assert_eq!(parameters("SELECT 1"), 0);
        assert_eq!(parameters("SELECT $2 + $1 + $2"), 2);
        assert_eq!(parameters(BOTH), 10);
        assert_bound("SELECT $1, $2", 2);
    }

    /// What happens here when the tests run happens to a query when it is compiled.
    #[test]
    #[should_panic(expected = "another number of parameters")]
    fn a_parameter_needs_a_value() {
        assert_bound("SELECT $1, $2", 1);
    }

    #[test]
    #[should_panic(expected = "another number of parameters")]
    fn a_value_needs_a_parameter() {
        assert_bound("SELECT $1", 2);
    }

    #[test]
    #[should_panic(expected = "left out")]
    fn no_parameter_is_left_out() {
        parameters("SELECT $1, $3");
    }

    /// So that every statement is counted.
    #[test]
    fn no_query_is_made_but_by_the_macros() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut folders = vec![source.join("sql"), source.join("keys")];
        let mut read = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let is_test = path.ends_with("statement.rs") || path.ends_with("tests.rs");
                let text = fs::read_to_string(&path).expect("a text");
                read += 1;
                let by_hand = ["sqlx::query(", "sqlx::query_"]
                    .iter()
                    .any(|call| text.contains(call));
                assert!(is_test || !by_hand, "{}", path.display());
            }
        }
        assert!(read > 10, "{read} files");
    }
}
