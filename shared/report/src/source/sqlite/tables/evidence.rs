//! From the values that a column holds to the catalog type that they all are.

use rusqlite::types::ValueRef;
use serde::de::IgnoredAny;

use super::super::value;
use crate::column::ColumnType;
use crate::source::tables::{Content, Projection, words_of};

/// Unix seconds of 1990-01-01 and 2100-01-01: what a column of instants may hold as a number.
const SECONDS: std::ops::Range<f64> = 631_152_000.0..4_102_444_800.0;
/// Julian days of the same.
const JULIAN_DAYS: std::ops::Range<f64> = 2_447_892.5..2_488_069.5;

/// How many of the values that were seen are what.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    nulls: usize,
    integers: usize,
    reals: usize,
    texts: usize,
    blobs: usize,
    truths: usize,
    seconds: usize,
    milliseconds: usize,
    julian_days: usize,
    days: usize,
    /// Texts, and these alone.
    instants: usize,
    /// Instants whose first ten characters are their day in UTC.
    utc_instants: usize,
    decimals: usize,
    uuids: usize,
    /// Those that are texts with hyphens, which nothing else is.
    hyphenated_uuids: usize,
    documents: usize,
}

impl Evidence {
    pub(super) fn add(&mut self, value: ValueRef<'_>) {
        self.truths += usize::from(matches!(value::boolean(value), Ok(Some(_))));
        self.decimals += usize::from(matches!(value::decimal(value), Ok(Some(_))));
        self.uuids += usize::from(matches!(value::uuid(value), Ok(Some(_))));
        match value {
            ValueRef::Null => self.nulls += 1,
            ValueRef::Integer(number) => {
                self.integers += 1;
                #[expect(clippy::cast_precision_loss, reason = "a range is told, not a value")]
                self.add_number(number as f64);
            }
            ValueRef::Real(number) => {
                self.reals += 1;
                self.add_number(number);
                self.julian_days += usize::from(JULIAN_DAYS.contains(&number));
            }
            ValueRef::Text(text) => self.add_text(value, text),
            ValueRef::Blob(_) => self.blobs += 1,
        }
    }

    fn add_number(&mut self, number: f64) {
        self.seconds += usize::from(SECONDS.contains(&number));
        self.milliseconds += usize::from(SECONDS.contains(&(number / 1000.0)));
    }

    fn add_text(&mut self, value: ValueRef<'_>, text: &[u8]) {
        self.texts += 1;
        self.days += usize::from(matches!(value::day(value), Ok(Some(_))));
        if matches!(value::micros(value, None), Ok(Some(_))) {
            self.instants += 1;
            let clock = text.get(10..).unwrap_or_default();
            let offset = clock.iter().any(|byte| matches!(byte, b'+' | b'-'));
            self.utc_instants += usize::from(!offset);
        }
        let uuid = text.len() == 36 && matches!(value::uuid(value), Ok(Some(_)));
        self.hyphenated_uuids += usize::from(uuid);
        if matches!(text.first(), Some(b'{' | b'[')) {
            let document = serde_json::from_slice::<IgnoredAny>(text);
            self.documents += usize::from(document.is_ok());
        }
    }

    pub(super) fn has_no_null(&self) -> bool {
        self.nulls == 0
    }

    fn values(&self) -> usize {
        self.integers + self.reals + self.texts + self.blobs
    }

    /// How a column of this name and declared type can be had, of which this was seen.
    pub(super) fn content(&self, name: &str, sql: &str, declared: &str) -> Content {
        let declared = Declared(declared.to_ascii_uppercase());
        let values = self.values();
        if values == 0 {
            return unseen(name, sql, &declared);
        }
        if declared.is_uuid(name) && self.uuids == values {
            return Content::plain(sql, ColumnType::Uuid);
        }
        if self.blobs > 0 {
            return Content::default().remarked(format!(
                "no catalog type holds bytes; hex({sql}) is a string of them"
            ));
        }
        if declared.says("BOOL") && self.truths == values {
            return Content::plain(sql, ColumnType::Boolean);
        }
        if self.texts == values {
            return self.of_texts(sql, &declared);
        }
        if self.texts == 0 {
            return self.of_numbers(name, sql, &declared);
        }
        if declared.is_exact() && self.decimals == values {
            return decimal(sql);
        }
        Content::plain(sql, ColumnType::String).remarked("it holds texts and numbers")
    }

    fn of_texts(&self, sql: &str, declared: &Declared) -> Content {
        let all = |count| count == self.texts;
        if all(self.days) {
            return Content::plain(sql, ColumnType::Date);
        }
        if all(self.instants) {
            let content = Content::plain(sql, ColumnType::Timestamp);
            return match all(self.utc_instants) {
                true => content.with_day(format!("substr({sql}, 1, 10)")),
                false => content,
            };
        }
        if all(self.hyphenated_uuids) {
            return Content::plain(sql, ColumnType::Uuid);
        }
        if declared.is_exact() && all(self.decimals) {
            return decimal(sql);
        }
        if all(self.documents) {
            return Content::plain(sql, ColumnType::Json);
        }
        Content::plain(sql, ColumnType::String)
    }

    fn of_numbers(&self, name: &str, sql: &str, declared: &Declared) -> Content {
        let all = |count| count == self.values();
        if declared.is_instant() || is_instant(name) {
            if self.reals == 0 && all(self.seconds) {
                return Content::plain(sql, ColumnType::Timestamp)
                    .with_day(format!("date({sql}, 'unixepoch')"))
                    .remarked("its numbers are read as seconds since 1970");
            }
            if all(self.julian_days) {
                return Content::plain(sql, ColumnType::Timestamp)
                    .with_day(format!("date({sql})"))
                    .remarked("its numbers are read as Julian days");
            }
            let scales = [
                (self.seconds, sql.to_owned(), "seconds"),
                (self.milliseconds, format!("{sql} / 1000.0"), "milliseconds"),
            ];
            for (count, seconds, unit) in scales {
                if all(count) {
                    let instant = format!("strftime('%Y-%m-%dT%H:%M:%fZ', {seconds}, 'unixepoch')");
                    return Content::plain(instant, ColumnType::Timestamp)
                        .with_day(format!("date({seconds}, 'unixepoch')"))
                        .remarked(format!("its numbers are read as {unit} since 1970"));
                }
            }
        }
        if declared.is_exact() {
            return decimal(sql);
        }
        match self.reals == 0 && !declared.is_float() {
            true => integer(sql),
            false => float(sql),
        }
    }
}

/// What a column without a single value is declared as.
fn unseen(name: &str, sql: &str, declared: &Declared) -> Content {
    const BY_TYPE: &str = "no row was there to tell whether its values are what it is declared as";
    let plain = |column_type| Content::plain(sql, column_type);
    let content = if declared.says("BOOL") {
        plain(ColumnType::Boolean)
    } else if declared.0 == "DATE" {
        plain(ColumnType::Date)
    } else if declared.is_instant() {
        plain(ColumnType::Timestamp)
    } else if declared.is_uuid("") {
        plain(ColumnType::Uuid)
    } else if declared.says("JSON") {
        plain(ColumnType::Json)
    } else if declared.says("INT") {
        integer(sql)
    } else if declared.is_exact() {
        decimal(sql)
    } else if declared.is_float() {
        float(sql)
    } else if declared.says("BLOB") {
        return Content::default().remarked(format!(
            "no catalog type holds bytes; hex({sql}) is a string of them"
        ));
    } else if is_instant(name) {
        return plain(ColumnType::Timestamp)
            .remarked("no row was there to tell; this is by its name");
    } else {
        plain(ColumnType::String)
    };
    content.remarked(BY_TYPE)
}

fn integer(sql: &str) -> Content {
    let sum = Projection::new(format!("sum({sql})"), ColumnType::Integer);
    Content::plain(sql, ColumnType::Integer).added(sum, mean(sql))
}

fn float(sql: &str) -> Content {
    let sum = Projection::new(format!("sum({sql})"), ColumnType::Float);
    Content::plain(sql, ColumnType::Float).added(sum, mean(sql))
}

/// SQLite adds in binary, so that the sum of exact values is a float.
fn decimal(sql: &str) -> Content {
    let sum = Projection::new(format!("CAST(sum({sql}) AS REAL)"), ColumnType::Float);
    Content::plain(sql, ColumnType::Decimal)
        .added(sum, mean(sql))
        .remarked("SQLite adds in binary: sum and mean are not exact")
}

fn mean(sql: &str) -> Projection {
    Projection::new(format!("avg({sql})"), ColumnType::Float)
}

/// A declared type, in upper case.
struct Declared(String);

impl Declared {
    fn says(&self, word: &str) -> bool {
        self.0.contains(word)
    }

    fn is_instant(&self) -> bool {
        self.says("DATE") || self.says("TIMESTAMP")
    }

    fn is_exact(&self) -> bool {
        ["DEC", "NUMERIC", "MONEY"]
            .into_iter()
            .any(|word| self.says(word))
    }

    fn is_float(&self) -> bool {
        ["REAL", "FLOA", "DOUB"]
            .into_iter()
            .any(|word| self.says(word))
    }

    /// By the name as well, where values of another kind could be taken for one.
    fn is_uuid(&self, name: &str) -> bool {
        let name = name.to_ascii_uppercase();
        ["UUID", "GUID"]
            .into_iter()
            .any(|word| self.says(word) || name.contains(word))
    }
}

/// Whether the name is one that instants have: `created_at`, `createdAt`, `order_date`, `ts`.
fn is_instant(name: &str) -> bool {
    const LAST_WORDS: [&str; 9] = [
        "at",
        "created",
        "date",
        "datetime",
        "modified",
        "time",
        "timestamp",
        "ts",
        "updated",
    ];
    let words = words_of(name);
    words
        .last()
        .is_some_and(|last| LAST_WORDS.contains(&last.as_str()))
}
