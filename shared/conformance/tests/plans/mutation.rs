//! What can be done to a JSON document, or to its text, so that it is nearly what it was.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value};
use waybill_test_services::hostile;

/// About how many bytes a repeated value may have.
const LARGEST: usize = 200_000;

/// One change at one place. Places are counted over all values of the document but the whole.
#[derive(Clone, Debug)]
pub(super) enum Mutation {
    /// The value goes, and with it its name.
    Drop(Index),
    /// The value is found under another name.
    Rename(Index, String),
    /// Another value stands there.
    Replace(Index, Value),
    /// Another value of the same document stands there.
    Copy(Index, Index),
    /// The object has one member more, the array one entry, anything else is an array of both.
    Add(Index, String, Value),
    /// The array or the text is as many times as long.
    Repeat(Index, usize),
}

impl Mutation {
    pub(super) fn apply(&self, document: &mut Value) {
        let mut places = Vec::new();
        collect_places(document, "", &mut places);
        if places.is_empty() {
            return;
        }
        let place = |at: &Index| places[at.index(places.len())].as_str();
        match self {
            Self::Drop(at) => drop(take(document, place(at))),
            Self::Rename(at, name) => {
                let (parent, _) = parted(place(at));
                if let Some(value) = take(document, place(at)) {
                    add(document, &parent, name, value);
                }
            }
            Self::Replace(at, value) => replace(document, place(at), value.clone()),
            Self::Copy(from, to) => {
                let value = document.pointer(place(from)).cloned();
                replace(document, place(to), value.unwrap_or_default());
            }
            Self::Add(at, name, value) => add(document, place(at), name, value.clone()),
            Self::Repeat(at, times) => match document.pointer_mut(place(at)) {
                Some(value) if value.to_string().len() * times > LARGEST => {}
                Some(Value::Array(entries)) => *entries = vec![entries.clone(); *times].concat(),
                Some(Value::String(text)) => *text = text.repeat(*times),
                _ => {}
            },
        }
    }
}

fn collect_places(value: &Value, at: &str, places: &mut Vec<String>) {
    let mut collect = |name: &str, value: &Value| {
        let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        collect_places(value, &at, places);
        places.push(at);
    };
    match value {
        Value::Array(entries) => {
            for (index, entry) in entries.iter().enumerate() {
                collect(&index.to_string(), entry);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                collect(name, member);
            }
        }
        _ => {}
    }
}

/// The place around a place, and the name in it.
fn parted(place: &str) -> (String, String) {
    let (parent, name) = place.rsplit_once('/').expect("not the whole document");
    let name = name.replace("~1", "/").replace("~0", "~");
    (parent.to_owned(), name)
}

fn take(document: &mut Value, place: &str) -> Option<Value> {
    let (parent, name) = parted(place);
    match document.pointer_mut(&parent)? {
        Value::Object(members) => members.shift_remove(&name),
        Value::Array(entries) => {
            let index = name.parse().ok().filter(|index| *index < entries.len())?;
            Some(entries.remove(index))
        }
        _ => None,
    }
}

fn replace(document: &mut Value, place: &str, value: Value) {
    if let Some(old) = document.pointer_mut(place) {
        *old = value;
    }
}

fn add(document: &mut Value, place: &str, name: &str, value: Value) {
    match document.pointer_mut(place) {
        Some(Value::Object(members)) => drop(members.insert(name.to_owned(), value)),
        Some(Value::Array(entries)) => entries.push(value),
        Some(other) => *other = Value::Array(vec![other.take(), value]),
        None => {}
    }
}

/// One change or a few.
pub(super) fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let at = any::<Index>;
    let mutation = prop_oneof![
        3 => at().prop_map(Mutation::Drop),
        2 => (at(), name()).prop_map(|(at, name)| Mutation::Rename(at, name)),
        6 => (at(), any_json()).prop_map(|(at, value)| Mutation::Replace(at, value)),
        3 => (at(), at()).prop_map(|(from, to)| Mutation::Copy(from, to)),
        3 => (at(), name(), any_json()).prop_map(|(at, name, value)| Mutation::Add(at, name, value)),
        1 => (at(), 2..1_200_usize).prop_map(|(at, times)| Mutation::Repeat(at, times)),
    ];
    vec(mutation, 1..4)
}

/// Any document, of values that one might be tempted to accept.
pub(super) fn any_json() -> impl Strategy<Value = Value> {
    let number = select(
        &[
            "0",
            "-0",
            "1",
            "-1",
            "1.0",
            "1.5",
            "1e2",
            "1E-400",
            "1e400",
            "-1e99999999999999999999",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551615",
            "340282366920938463463374607431768211456",
            "0.1000000000000000055511151231257827021181583404541015625",
        ][..],
    )
    .prop_map(|text| serde_json::from_str(text).expect("a number"));
    let fitting = select(
        &[
            "rows",
            "groups",
            "id",
            "s",
            "n",
            "eq",
            "in",
            "asc",
            "csv",
            "2026-05-01T00:00:00Z",
            "2026-05-01T23:59:60.5Z",
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59.9999999Z",
            "2026-05-01",
            "+999-01-01",
            "2026- 5- 1",
            "NaN",
            "1e1000",
            "{0193aaaa-0000-7000-8000-000000000001}",
        ][..],
    );
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        2 => number,
        3 => fitting.prop_map(|text| Value::String(text.to_owned())),
        3 => hostile::text().prop_map(Value::String),
        1 => (1..140_usize).prop_map(|depth| {
            (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]))
        }),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::Array),
            vec((name(), inner), 0..5).prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    })
}

/// The name of a member: one that has a meaning somewhere, or any text.
fn name() -> impl Strategy<Value = String> {
    let known = select(
        &[
            "query",
            "format",
            "options",
            "dataset",
            "time_range",
            "from",
            "to",
            "dimensions",
            "measures",
            "filters",
            "field",
            "op",
            "value",
            "order_by",
            "dimension",
            "measure",
            "direction",
            "limit",
            "org",
            "tenant",
            "__proto__",
            "$serde_json::private::Number",
            "$serde_json::private::RawValue",
        ][..],
    );
    prop_oneof![2 => known.prop_map(str::to_owned), 1 => hostile::text()]
}

/// The text with some of it replaced by what does not belong there.
pub(super) fn tampered(text: String) -> impl Strategy<Value = Vec<u8>> {
    let inserted = select(vec![
        &b""[..],
        b"\"limit\":1,",
        b"\"query\":{},",
        b"\\ud800",
        b"\\udc00\\ud800",
        b"\\u0000",
        b"\\",
        b"\"",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\0",
        b"\xff",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\n",
        b"1e999",
        b"-",
        b"null",
        b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
        b"{\"$serde_json::private::RawValue\":\"null\"}",
    ]);
    vec((any::<Index>(), 0..6_usize, inserted), 1..4).prop_map(move |changes| {
        let mut bytes = text.clone().into_bytes();
        for (at, cut, inserted) in changes {
            let at = at.index(bytes.len() + 1);
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, inserted.iter().copied());
        }
        bytes
    })
}
