//! Names of settings: a path of them in one line, and the one that was probably meant.

use strsim::osa_distance;

/// Appends a key to a dotted path, quoted where TOML would want quotes, so that a path is one line.
#[must_use]
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

/// Returns the candidate that `name` was probably meant to be, if one is close enough.
#[must_use]
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // A third of the letters may be wrong: enough for typing errors, too little for other words.
    let allowed = name.chars().count().max(3) / 3;
    candidates
        .into_iter()
        .map(|candidate| (osa_distance(name, candidate), candidate))
        .filter(|&(distance, _)| distance <= allowed)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
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
    fn a_path_quotes_what_is_not_a_bare_key() {
        assert_eq!(
            dotted(&dotted("datasets", "a b\n"), "sql"),
            r#"datasets."a b\n".sql"#
        );
    }
}
