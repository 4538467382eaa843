//! The compact form of a JSON document, which every source gives alike.

/// Appends a document without the whitespace between its tokens. Strings, digits and the order of
/// members stay as they are. What is no valid document comes out as something that is none either.
pub(super) fn compact(document: &[u8], out: &mut Vec<u8>) {
    let mut rest = document;
    while !rest.is_empty() {
        let outside = rest
            .iter()
            .position(|byte| *byte == b'"')
            .unwrap_or(rest.len());
        let (tokens, string) = rest.split_at(outside);
        out.extend(tokens.iter().filter(|byte| !is_whitespace(**byte)));
        let (string, after) = string.split_at(string_length(string));
        out.extend_from_slice(string);
        rest = after;
    }
}

fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The length of the string that a text begins with, both quotes included.
fn string_length(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compacted(document: &str) -> String {
        let mut out = Vec::new();
        compact(document.as_bytes(), &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn only_whitespace_between_tokens_goes() {
        for (document, expected) in [
            ("", ""),
            (" null\n", "null"),
            ("[ 1.50 , -0 , 1E+2 ]", "[1.50,-0,1E+2]"),
            (
                "{ \"b\" : \" x\\\" y \\\\\" ,\t\"a\" : [ ] }\r\n",
                "{\"b\":\" x\\\" y \\\\\",\"a\":[]}",
            ),
            ("\" \\u00e9 é \"", "\" \\u00e9 é \""),
            ("\"unfinished \\", "\"unfinished \\"),
        ] {
            assert_eq!(compacted(document), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn the_document_means_the_same(text in "[ \"\\\\a,\\[\\]1\n]{0,20}") {
            if let Ok(document) = serde_json::from_str::<serde_json::Value>(&text) {
                assert_eq!(serde_json::from_str::<serde_json::Value>(&compacted(&text)).ok(), Some(document));
            }
        }
    }
}
