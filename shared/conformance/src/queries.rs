//! Any valid query of a table with a column of every type, and what its filters mean.
//!
//! Owns how one meaning can be written in several ways. What a query gives is worked out by the
//! tests of [`source`](crate::source).

use chrono::{DateTime, FixedOffset, NaiveDate, SecondsFormat, TimeDelta, Utc};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use serde_json::{Map, Value, json};
use uuid::Uuid;
use waybill_report::column::ColumnType;
use waybill_report::query::{FilterOp, Literal, Test};
use waybill_test_services::hostile;

/// The fields of both datasets.
pub const FIELDS: [(&str, ColumnType); 10] = [
    ("id", ColumnType::Integer),
    ("at", ColumnType::Timestamp),
    ("s", ColumnType::String),
    ("i", ColumnType::Integer),
    ("f", ColumnType::Float),
    ("d", ColumnType::Decimal),
    ("b", ColumnType::Boolean),
    ("day", ColumnType::Date),
    ("u", ColumnType::Uuid),
    ("j", ColumnType::Json),
];

/// The measures of `groups`, and how they are computed.
pub const MEASURES: [(&str, &str); 4] = [
    ("n", "count(*)"),
    ("filled", "count(s)"),
    ("low", "min(i)"),
    ("high", "max(i)"),
];

/// Returns the catalog of the table `belongings`, which has `owner` and the columns of [`FIELDS`]: row by
/// row as `rows`, grouped as `groups`.
#[must_use]
pub fn catalog() -> String {
    let mut text = String::new();
    for (dataset, grain) in [("rows", "row"), ("groups", "aggregate")] {
        text += &format!(
            "[datasets.{dataset}]\ntable = \"belongings\"\ngrain = \"{grain}\"\ntenant = \"owner\"\n\
             time = \"at\"\n[datasets.{dataset}.dimensions]\n"
        );
        for (name, column_type) in FIELDS {
            let column_type = column_type.name();
            text += &format!("{name} = {{ sql = \"{name}\", type = \"{column_type}\" }}\n");
        }
    }
    text += "[datasets.groups.measures]\n";
    for (name, sql) in MEASURES {
        text += &format!("{name} = {{ sql = \"{sql}\", type = \"integer\" }}\n");
    }
    text
}

/// One row of the table.
#[derive(Clone, Debug)]
pub struct SampleRow {
    /// The organisation.
    pub owner: String,
    /// A value for each field, the first of which is never NULL.
    pub cells: Vec<Option<Literal>>,
}

/// A valid query.
#[derive(Clone, Debug)]
pub struct Asked {
    /// As a client writes it.
    pub query: Value,
    /// What its filters ask of which field.
    pub tests: Vec<(&'static str, Test)>,
}

/// Any valid query of `rows`, which always selects `id`, or of `groups`.
pub fn asked() -> impl Strategy<Value = Asked> {
    let columns = prop_oneof![3 => row_columns(), 2 => group_columns()];
    (columns, filters(), time_range(), limit()).prop_map(|(columns, filters, time_range, limit)| {
        let mut query = columns;
        query.insert("time_range".to_owned(), time_range);
        if let Some(limit) = limit {
            query.insert("limit".to_owned(), limit);
        }
        let (written, tests): (Vec<Value>, Vec<_>) = filters.into_iter().unzip();
        if !written.is_empty() {
            query.insert("filters".to_owned(), written.into());
        }
        Asked {
            query: query.into(),
            tests,
        }
    })
}

fn row_columns() -> impl Strategy<Value = Map<String, Value>> {
    let others: Vec<&str> = FIELDS[1..].iter().map(|(name, _)| *name).collect();
    let dimensions = (
        subsequence(others, 0..FIELDS.len()).prop_shuffle(),
        any::<Index>(),
    )
        .prop_map(|(mut names, place)| {
            names.insert(place.index(names.len() + 1), "id");
            names
        });
    (dimensions, order(4)).prop_map(|(dimensions, order)| columns("rows", &dimensions, &[], &order))
}

fn group_columns() -> impl Strategy<Value = Map<String, Value>> {
    let names: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
    let dimensions = subsequence(names, 0..4).prop_shuffle();
    let measures = MEASURES.map(|(name, _)| name).to_vec();
    let measures = subsequence(measures, 0..=MEASURES.len()).prop_shuffle();
    (dimensions, measures, order(3))
        .prop_map(|(dimensions, measures, order)| columns("groups", &dimensions, &measures, &order))
}

/// By which of the selected columns, and how.
fn order(most: usize) -> impl Strategy<Value = Vec<(Index, Option<&'static str>)>> {
    let direction = select(&[None, Some("asc"), Some("desc"), Some("desc")][..]);
    vec((any::<Index>(), direction), 0..=most)
}

fn columns(
    dataset: &str,
    dimensions: &[&str],
    measures: &[&str],
    order: &[(Index, Option<&str>)],
) -> Map<String, Value> {
    let selected: Vec<(&str, &str)> = (dimensions.iter().map(|name| ("dimension", *name)))
        .chain(measures.iter().map(|name| ("measure", *name)))
        .collect();
    let mut order_by: Vec<Value> = Vec::new();
    let mut named: Vec<&str> = Vec::new();
    for (place, direction) in order.iter().filter(|_| !selected.is_empty()) {
        let (kind, name) = *place.get(&selected);
        if named.contains(&name) {
            continue;
        }
        named.push(name);
        let mut entry = json!({ kind: name });
        if let Some(direction) = direction {
            entry["direction"] = json!(direction);
        }
        order_by.push(entry);
    }
    let mut query = Map::new();
    query.insert("dataset".to_owned(), json!(dataset));
    for (member, entries) in [
        ("dimensions", json!(dimensions)),
        ("measures", json!(measures)),
        ("order_by", order_by.into()),
    ] {
        if entries != json!([]) {
            query.insert(member.to_owned(), entries);
        }
    }
    query
}

fn time_range() -> impl Strategy<Value = Value> {
    let from = (asked_instant(), any::<u8>());
    let to = (asked_instant(), any::<u8>());
    prop_oneof![
        // Nearly every row …
        3 => Just(json!({ "from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59.999999001Z" })),
        // … and some of them.
        2 => (from, to)
            .prop_filter("an empty range", |((from, _), (to, _))| from != to)
            .prop_map(|((from, from_way), (to, to_way))| {
                let (from, to) = (from.min(to), from.max(to));
                json!({ "from": written_instant(from, from_way), "to": written_instant(to, to_way) })
            }),
    ]
}

fn limit() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        2 => Just(None),
        2 => Just(Some(Value::Null)),
        1 => (0..6_u64).prop_map(|rows| Some(json!(rows))),
        1 => Just(Some(json!(i64::MAX))),
    ]
}

fn filters() -> impl Strategy<Value = Vec<(Value, (&'static str, Test))>> {
    prop_oneof![
        1 => Just(Vec::new()),
        4 => vec(filter(), 1..4),
    ]
}

fn filter() -> impl Strategy<Value = (Value, (&'static str, Test))> {
    select(&FIELDS[..]).prop_flat_map(|(field, column_type)| {
        let op = select(FilterOp::for_type(column_type));
        let values = vec((asked_literal(column_type), any::<u8>()), 1..6);
        let null = proptest::bool::weighted(0.15);
        (op, values, null).prop_map(move |(op, values, null)| {
            let null = null || column_type == ColumnType::Json;
            let (value, test) = value_and_test(op, &values, null);
            let written = json!({ "field": field, "op": op.name(), "value": value });
            (written, (field, test))
        })
    })
}

fn value_and_test(op: FilterOp, values: &[(Literal, u8)], null: bool) -> (Value, Test) {
    let (first, way) = &values[0];
    match op {
        FilterOp::Eq if null => (Value::Null, Test::IsNull),
        FilterOp::Neq if null => (Value::Null, Test::IsNotNull),
        FilterOp::In => {
            let array = values.iter().map(|(value, way)| written(value, *way));
            let meant = values.iter().map(|(value, _)| value.clone());
            (array.collect(), Test::In(meant.collect()))
        }
        op => (written(first, *way), Test::Compare(op, first.clone())),
    }
}

/// As [`literal`], and instants that lie between two of those that a database holds.
fn asked_literal(column_type: ColumnType) -> BoxedStrategy<Literal> {
    match column_type {
        ColumnType::Timestamp => asked_instant().prop_map(Literal::Timestamp).boxed(),
        column_type => literal(column_type),
    }
}

fn asked_instant() -> impl Strategy<Value = DateTime<Utc>> {
    let finer = prop_oneof![3 => Just(0), 2 => 1..1_000_i64];
    (instant(), finer).prop_map(|(instant, nanos)| instant + TimeDelta::nanoseconds(nanos))
}

/// Any value of a type; the text of a document for [`ColumnType::Json`]. Half of the values come
/// from a few, so that some are equal.
pub fn literal(column_type: ColumnType) -> BoxedStrategy<Literal> {
    match column_type {
        ColumnType::String => hostile::storable().prop_map(Literal::String).boxed(),
        ColumnType::Integer => {
            let few = select(vec![0, 1, -1, 7, i64::MIN, i64::MAX, i64::MAX - 1]);
            prop_oneof![few, any::<i64>()]
                .prop_map(Literal::Integer)
                .boxed()
        }
        ColumnType::Float => {
            let few = select(vec![
                0.0,
                -0.0,
                1.0,
                -1.5,
                0.1,
                0.1 + 0.2,
                1e15,
                9_007_199_254_740_993.0,
                1e23,
                5e-324,
                f64::MIN_POSITIVE,
                f64::MAX,
                f64::MIN,
            ]);
            prop_oneof![few, any::<u64>().prop_map(f64::from_bits)]
                .prop_filter("a finite number", |number| number.is_finite())
                .prop_map(Literal::Float)
                .boxed()
        }
        ColumnType::Decimal => {
            let few = select(
                &[
                    "0",
                    "-0",
                    "0.00",
                    "1",
                    "1.0",
                    "1.00",
                    "-1.5",
                    "-1.50",
                    "9.99",
                    "10",
                    "1000000000.00000000000000000001",
                ][..],
            )
            .prop_map(str::to_owned);
            prop_oneof![few, "-?(0|[1-9][0-9]{0,14})(\\.[0-9]{1,12})?"]
                .prop_map(Literal::Decimal)
                .boxed()
        }
        ColumnType::Boolean => any::<bool>().prop_map(Literal::Boolean).boxed(),
        ColumnType::Timestamp => instant().prop_map(Literal::Timestamp).boxed(),
        ColumnType::Date => {
            let few = select(vec![-719_162, -1, 0, 20_567, 20_568, 2_932_896]);
            prop_oneof![few, -719_162..=2_932_896_i32]
                .prop_map(|day| Literal::Date(NaiveDate::from_epoch_days(day).expect("a day")))
                .boxed()
        }
        ColumnType::Uuid => {
            let few = select(vec![0, 1, 0x0193_AAAA << 96, u128::MAX]);
            prop_oneof![few, any::<u128>()]
                .prop_map(|bits| Literal::Uuid(Uuid::from_u128(bits)))
                .boxed()
        }
        ColumnType::Json => (hostile::storable(), any::<i64>())
            .prop_map(|(text, n)| Literal::String(json!({ "a": [text, n, null] }).to_string()))
            .boxed(),
    }
}

/// Whole microseconds of the years 0001 to 9999, many of them close together.
fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    const FIRST: i64 = -62_135_596_800_000_000;
    const LAST: i64 = 253_402_300_799_999_999;
    const DAY: i64 = 86_400_000_000;
    /// 2026-05-01T00:00:00Z.
    const NOW: i64 = 1_777_593_600_000_000;
    let few = select(vec![
        FIRST,
        FIRST + 1,
        -1,
        0,
        NOW,
        NOW + 1,
        NOW + DAY,
        LAST - 1,
        LAST,
    ]);
    let near = (-20..20_i64).prop_map(|hours| NOW + hours * DAY / 24);
    prop_oneof![few, near, NOW - DAY..NOW + DAY, FIRST..=LAST]
        .prop_map(|micros| DateTime::from_timestamp_micros(micros).expect("an instant"))
}

/// One of the ways in which a client may write a value.
fn written(value: &Literal, way: u8) -> Value {
    match value {
        Literal::String(text) => json!(text),
        Literal::Integer(number) => json!(number),
        Literal::Float(number) if way.is_multiple_of(2) => json!(number),
        Literal::Float(number) => serde_json::from_str(&format!("{number:e}")).expect("a number"),
        Literal::Decimal(text) => match way % 3 {
            0 => serde_json::from_str(text).expect("a number"),
            1 => json!(text),
            _ => json!(with_exponent(text)),
        },
        Literal::Boolean(truth) => json!(truth),
        Literal::Timestamp(instant) => json!(written_instant(*instant, way)),
        Literal::Date(day) => json!(day.format("%Y-%m-%d").to_string()),
        Literal::Uuid(uuid) => match way % 4 {
            0 => json!(uuid.hyphenated().to_string()),
            1 => json!(uuid.hyphenated().to_string().to_uppercase()),
            2 => json!(uuid.simple().to_string()),
            _ => json!(uuid.braced().to_string()),
        },
    }
}

/// The same digits without a point.
fn with_exponent(decimal: &str) -> String {
    match decimal.split_once('.') {
        Some((whole, fraction)) => format!("{whole}{fraction}e-{}", fraction.len()),
        None => format!("{decimal}E+0"),
    }
}

/// In UTC, with another offset, or with more digits than an instant holds: of one between two microseconds
/// they say nothing new.
fn written_instant(instant: DateTime<Utc>, way: u8) -> String {
    let utc = |instant: DateTime<Utc>, digits| instant.to_rfc3339_opts(digits, true);
    let far_from_the_ends = (2..=9998).contains(&chrono::Datelike::year(&instant));
    match way % 4 {
        1 if far_from_the_ends => {
            let minutes = i32::from(way) * 5 - 630;
            let offset = FixedOffset::east_opt(minutes * 60).expect("an offset");
            let local = instant.with_timezone(&offset);
            local.to_rfc3339_opts(SecondsFormat::AutoSi, false)
        }
        2 => {
            let whole = instant.timestamp_subsec_nanos().is_multiple_of(1_000);
            let finer = if whole { "000" } else { "07" };
            utc(instant, SecondsFormat::Nanos).replace('Z', &format!("{finer}Z"))
        }
        3 => utc(instant, SecondsFormat::Nanos),
        _ => utc(instant, SecondsFormat::AutoSi),
    }
}
