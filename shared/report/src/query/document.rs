//! The bytes of a request as one JSON document.
//!
//! Knows JSON and nothing of queries. `serde_json` gives two names of members a meaning of its own:
//! an object with such a member reads as the number, or as the document, that stands in the
//! member's text. A document within a text begins anew to count how deep it is, so that a small
//! body could be deeper than any stack. Here the second name is one like any other; the first is
//! how every number of any size arrives, and stays harmless. A member that stands twice is told: whatever
//! stands between a client and this service may have read the other one.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::limits::MAX_FAULTS;
use super::pointer::Pointer;

/// The name under which `serde_json` hands over a number with all of its digits.
const NUMBER: &str = "$serde_json::private::Number";

/// What all pointers to repeated members have together at most, in bytes: as long as their names are, the
/// answer is no larger than the request.
const MAX_POINTERS: usize = 64 * 1024;

/// A document, and what of it stands twice.
#[derive(Debug)]
pub(super) struct Document {
    /// Of a member that stands twice, the last.
    pub(super) value: Value,
    /// Members that stand more than once in their object, as far as they are told; the first always is.
    pub(super) repeated: Vec<Pointer>,
}

/// Reads one document with nothing but white space around it, 127 levels deep at most.
pub(super) fn read(bytes: &[u8]) -> Result<Document, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let mut repeated = Repeated::default();
    let value = AnyValue {
        at: Place::Root,
        repeated: &mut repeated,
    };
    let value = value.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(Document {
        value,
        repeated: repeated.pointers,
    })
}

#[derive(Default)]
struct Repeated {
    pointers: Vec<Pointer>,
    bytes: usize,
}

impl Repeated {
    fn add(&mut self, at: &Place<'_>, name: &str) {
        let full = self.bytes >= MAX_POINTERS || self.pointers.len() > MAX_FAULTS;
        if full && !self.pointers.is_empty() {
            return;
        }
        let pointer = at.pointer().member(name);
        self.bytes += pointer.as_str().len();
        self.pointers.push(pointer);
    }
}

/// Where a value stands.
enum Place<'a> {
    Root,
    Member(&'a Place<'a>, &'a str),
    Entry(&'a Place<'a>, usize),
}

impl Place<'_> {
    fn pointer(&self) -> Pointer {
        match self {
            Self::Root => Pointer::root(),
            Self::Member(object, name) => object.pointer().member(name),
            Self::Entry(array, index) => array.pointer().index(*index),
        }
    }
}

struct AnyValue<'a> {
    at: Place<'a>,
    repeated: &'a mut Repeated,
}

impl<'de> DeserializeSeed<'de> for AnyValue<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyValue<'_> {
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
        loop {
            let entry = AnyValue {
                at: Place::Entry(&self.at, array.len()),
                repeated: &mut *self.repeated,
            };
            match entries.next_element_seed(entry)? {
                Some(entry) => array.push(entry),
                None => return Ok(Value::Array(array)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.is_empty() && name == NUMBER {
                let digits: String = members.next_value()?;
                let number: Number = serde_json::from_str(&digits).map_err(A::Error::custom)?;
                return Ok(Value::Number(number));
            }
            if object.contains_key(&name) {
                self.repeated.add(&self.at, &name);
            }
            let value = members.next_value_seed(AnyValue {
                at: Place::Member(&self.at, &name),
                repeated: &mut *self.repeated,
            })?;
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
        let read = read(text.as_bytes()).expect("JSON").value;
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
        let document = read(hidden(r#"{"a":1}"#).as_bytes()).expect("JSON").value;
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
        let mut document = &read(layers.as_bytes()).expect("JSON").value;
        while let Some(entry) = document.get(0) {
            document = entry;
        }
        assert!(document["$serde_json::private::RawValue"].is_string());
    }

    fn repeated(text: &str) -> Vec<String> {
        let document = read(text.as_bytes()).expect("JSON");
        let pointers = document.repeated.iter().map(Pointer::as_str);
        pointers.map(str::to_owned).collect()
    }

    #[test]
    fn what_stands_twice_is_told_at_any_depth() {
        for (text, expected) in [
            (
                r#"{"a":1,"b":[{"a":1},{"a":2}],"c":{"a":{"b":1}}}"#,
                &[][..],
            ),
            (r#"{"a":1,"a":1}"#, &["/a"]),
            (r#"{"a":1,"\u0061":1,"a":2}"#, &["/a", "/a"]),
            (
                r#"{"":1,"":1,"a/b":1,"a/b":1,"~":1,"~":1}"#,
                &["/", "/a~1b", "/~0"],
            ),
            (
                r#"[{},{"q":{"l":[1,{"x":1,"x":{"y":1,"y":1}}]}}]"#,
                &["/1/q/l/1/x", "/1/q/l/1/x/y"],
            ),
        ] {
            assert_eq!(repeated(text), expected, "{text}");
        }
        let last = read(br#"{"a":1,"a":2}"#).expect("JSON").value;
        assert_eq!(last, json!({ "a": 2 }));
    }

    #[test]
    fn pointers_to_it_are_no_longer_than_a_request() {
        let many = vec![r#""a":1"#; 100_000].join(",");
        assert_eq!(repeated(&format!("{{{many}}}")).len(), MAX_FAULTS + 1);
        let long = "x".repeat(400_000);
        let few = vec![r#""a":1"#; 20_000].join(",");
        assert_eq!(repeated(&format!(r#"{{"{long}":{{{few}}}}}"#)).len(), 1);
    }
}
