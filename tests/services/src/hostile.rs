//! Text that would like to be more than text, for the tests of everything that text passes through.
//!
//! Owns what is tried, not what should come of it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Texts that end, begin or hide something in SQL, JSON, CSV or a terminal. None holds a NUL, which
/// no database keeps.
pub const TEXTS: [&str; 30] = [
    "",
    " ",
    "'",
    "''",
    "\\",
    "\\'",
    "\\\\'",
    "'; DROP TABLE things; --",
    "' OR 'a' = 'a",
    "$$",
    "$tag$ ; $tag$",
    "/* ",
    "*/ --",
    "-- ",
    "\"",
    "\"\"",
    "`",
    "[",
    "E'\\x27'",
    "U&'\\0027'",
    "%_",
    "?1 $1 :a @b {}",
    "\u{1}\t\r\n\u{7f}\u{85}",
    "\u{feff}=1+1,\"a\"",
    "a\u{301}\u{202e}\u{2028}",
    "🚀\u{10ffff}",
    "ÄäſıİK",
    "'::text); COMMIT; DROP TABLE things; COPY (SELECT 1",
    "NULL",
    "null",
];

/// Any text that a database keeps.
pub fn storable() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => select(&TEXTS[..]).prop_map(str::to_owned),
        1 => "[^\\x00]{0,12}",
        1 => "['\"\\\\;$-]{1,8}",
        1 => "[a-z]{1,6}",
    ];
    prop_oneof![
        2 => select(&TEXTS[..]).prop_map(str::to_owned),
        1 => vec(piece, 1..4).prop_map(|pieces| pieces.concat()),
    ]
}

/// Any text at all.
pub fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => storable(),
        1 => storable().prop_map(|text| format!("{text}\0'")),
        1 => ("[a-z'é\u{0}]{1,4}", 1..4_000_usize).prop_map(|(piece, times)| piece.repeat(times)),
    ]
}
