//! Whether what a block printed is what the page says that it prints.

use super::Block;

/// Members whose values are different each time.
const PASSING: [&str; 13] = [
    "as_of",
    "created_at",
    "estimated_rows",
    "expires_at",
    "freshness_lag_ms",
    "href",
    "id",
    "materialized_at",
    "percent",
    "retry_after_seconds",
    "rows",
    "self_url",
    "url",
];

/// Values of `status` that may be another one by the time that it is asked.
const UNFINISHED: [&str; 2] = ["\"queued\"", "\"running\""];

/// Holds what a block printed against what the page says that it prints.
pub(crate) fn compare(said: &Block, printed: &str) {
    let at = &said.at;
    if said.language == "text" {
        for line in said.text.lines().filter(|line| !line.contains('…')) {
            assert!(
                printed.lines().any(|printed| printed == line),
                "{at}: {line:?} is not in\n{printed}"
            );
        }
        return;
    }
    for (name, value) in members(&said.text) {
        let stated = format!("\"{name}\":");
        assert!(printed.contains(&stated), "{at}: no {name} in {printed}");
        let passing = PASSING.contains(&name.as_str()) || UNFINISHED.contains(&value.as_str());
        let lasting = !passing && !value.contains('…');
        if lasting && !value.starts_with(['{', '[']) {
            let stated = format!("{stated}{value}");
            assert!(printed.contains(&stated), "{at}: {stated} in {printed}");
        }
    }
}

/// The names of members in something like JSON, and their values as they are written; of an object or an
/// array only its begin.
fn members(text: &str) -> Vec<(String, String)> {
    let mut members = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('"') {
        let (string, after) = string(&rest[at..]);
        rest = after;
        let Some(value) = after.strip_prefix(':') else {
            continue;
        };
        let value = value.trim_start();
        let value = if value.starts_with('"') {
            self::string(value).0
        } else {
            let end = value.find([',', '}', ']', '\n']).unwrap_or(value.len());
            value[..end].to_owned()
        };
        members.push((string.trim_matches('"').to_owned(), value));
    }
    members
}

/// The string that a text begins with, quotes included, and what follows it.
fn string(text: &str) -> (String, &str) {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            '"' if !escaped => return (text[..=at].to_owned(), &text[at + 1..]),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    (text.to_owned(), "")
}

#[test]
fn what_a_page_says_is_read_as_it_is_meant() {
    let text = "{\"a\":1,\"b\":\"x\\\"y,\",\n \"c\":{\"d\":null},\"e\":\"…\"}";
    let found = members(text);
    let found: Vec<(&str, &str)> = found
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("a", "1"),
            ("b", "\"x\\\"y,\""),
            ("c", "{\"d\":null"),
            ("d", "null"),
            ("e", "\"…\"")
        ]
    );
}
