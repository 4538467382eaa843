//! What the names in a catalog must look like.

/// PostgreSQL cuts identifiers after 63 bytes.
const NAME_LENGTH: usize = 63;

/// Refuses what is no name on the wire: `[a-z_][a-z0-9_]{0,62}`.
pub(super) fn wire(text: &str) -> Result<(), String> {
    let first = |c: char| c.is_ascii_lowercase() || c == '_';
    let rest = |c: char| first(c) || c.is_ascii_digit();
    if text.starts_with(first) && text.chars().all(rest) && text.len() <= NAME_LENGTH {
        return Ok(());
    }
    Err(format!(
        "{text:?} is no name: lower-case letters, digits and _, not a digit first, at most {NAME_LENGTH}"
    ))
}

/// Refuses what is no column of a table.
pub(super) fn column(text: &str) -> Result<(), String> {
    match is_identifier(text) {
        true => Ok(()),
        false => Err(format!("{text:?} is no column name")),
    }
}

/// Refuses what is no table or view, nor one in a schema.
pub(super) fn table(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() <= 2 && parts.iter().all(|part| is_identifier(part)) {
        return Ok(());
    }
    Err(format!(
        "{text:?} is no table or schema.table; for anything else use sql instead"
    ))
}

/// Returns whether a statement may name it without quotes.
pub(crate) fn is_identifier(text: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let rest = |c: char| first(c) || c.is_ascii_digit() || c == '$';
    text.starts_with(first) && text.chars().all(rest) && text.len() <= NAME_LENGTH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_snake_case_and_fit_an_identifier() {
        let longest = "a".repeat(63);
        for good in ["a", "_", "day_2", "row_counts", &longest] {
            assert_eq!(wire(good), Ok(()));
        }
        let too_long = "a".repeat(64);
        for bad in ["", "2a", "Day", "a-b", "a b", "é", "a\n", &too_long] {
            assert!(wire(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn tables_may_have_a_schema() {
        for good in ["sessions", "public.sessions", "Reports.Sessions_2$"] {
            assert_eq!(table(good), Ok(()));
        }
        for bad in ["", ".", "a.", "a.b.c", "a b", "\"a\"", "a;b", "a--b"] {
            assert!(table(bad).is_err(), "{bad:?}");
        }
    }
}
