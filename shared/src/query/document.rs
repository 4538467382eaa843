//! The bytes of a request as one JSON document.
//!
//! Knows JSON and nothing of queries. `serde_json` gives two names of members a meaning of its own:
//! an object with such a member reads as the number, or as the document, that stands in the
//! member's text. A document within a text begins anew to count how deep it is, so that a small
//! body could be deeper than any stack. Here the second name is one like any other; the first is
//! how every number of any size arrives, and stays harmless.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The name under which `serde_json` hands over a number with all of its digits.
const NUMBER: &str = "$serde_json::private::Number";

/// Reads one document with nothing but white space around it, 127 levels deep at most. Of a member
/// that stands twice the last counts.
pub(super) fn read(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(bytes).map(|Document(value)| value)
}

struct Document(Value);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Document(entry)) = entries.next_element()? {
            array.push(entry);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.is_empty() && name == NUMBER {
                let digits: String = members.next_value()?;
                let number: Number = serde_json::from_str(&digits).map_err(A::Error::custom)?;
                return Ok(Value::Number(number));
            }
            let Document(value) = members.next_value()?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A document in the text of a member that `serde_json` would read it from.
    fn hidden(document: &str) -> String {
        json!({ "$serde_json::private::RawValue": document }).to_string()
    }

    #[test]
    fn a_document_is_read_as_it_stands() {
        let text = r#"{"b":[1.50,-0,1E400,18446744073709551616],"a":{"b":null,"a":[]},"é\ud83d\ude80\u0000":"\u0000","t":true}"#;
        let read = read(text.as_bytes()).expect("JSON");
        let expected: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(read, expected);
        assert_eq!(read["b"][0].to_string(), "1.50");
        let names: Vec<&String> = read.as_object().expect("an object").keys().collect();
        assert_eq!(names, ["b", "a", "é🚀\u{0}", "t"], "in their order");
    }

    #[test]
    fn what_is_no_document_is_an_error() {
        for wrong in [
            "",
            "{",
            "{} {}",
            "[1,]",
            "\"\\ud800\"",
            "nul",
            "01",
            "NaN",
            "\"\n\"",
            "\u{feff}{}",
            r#"{"$serde_json::private::Number":"x"}"#,
            r#"{"$serde_json::private::Number":1}"#,
            r#"{"$serde_json::private::Number":"1","a":1}"#,
        ] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(read(b"\"\xff\"").is_err(), "no UTF-8");
    }

    #[test]
    fn a_document_within_a_text_is_a_text() {
        let document = read(hidden(r#"{"a":1}"#).as_bytes()).expect("JSON");
        assert_eq!(
            document,
            json!({ "$serde_json::private::RawValue": r#"{"a":1}"# })
        );
    }

    #[test]
    fn nothing_is_deeper_than_the_limit() {
        let nested = |depth: usize, inner: &str| {
            format!("{}{inner}{}", "[".repeat(depth), "]".repeat(depth))
        };
        assert!(read(nested(127, "").as_bytes()).is_ok());
        assert!(read(nested(128, "").as_bytes()).is_err());
        assert!(read("[".repeat(1_000_000).as_bytes()).is_err());
        assert!(read("{\"a\":".repeat(100_000).as_bytes()).is_err());
        // Each layer is as deep as allowed, and hides the next one in a text.
        let mut layers = nested(120, "");
        while layers.len() < 500_000 {
            layers = nested(120, &hidden(&layers));
        }
        let mut document = &read(layers.as_bytes()).expect("JSON");
        while let Some(entry) = document.get(0) {
            document = entry;
        }
        assert!(document["$serde_json::private::RawValue"].is_string());
    }
}
