//! How fast the CSV encoder is: 2,000,000 rows of 13 mixed columns, against the `csv` crate's writer over
//! the same batches in the same run.
//!
//! `cargo run --release -p waybill-report --example encode_rate`

#![expect(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, FixedSizeBinaryArray, Float64Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray,
};
use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta};
use waybill_report::column::{Column, ColumnKind, ColumnType, arrow_schema};
use waybill_report::encode::csv::CsvEncoder;
use waybill_report::encode::{Encoder, Trailer};

const ROWS: usize = 2_000_000;
const BATCH_ROWS: usize = 8192;
/// This many different batches take turns: enough that no cache holds them all, few enough for any machine.
const DISTINCT_BATCHES: usize = 32;
/// The encoder's buffer is emptied at this size, as an upload empties it part by part.
const PART_BYTES: usize = 8 << 20;
const ROUNDS: usize = 5;

fn main() {
    let columns = columns();
    let batches: Vec<RecordBatch> = (0..DISTINCT_BATCHES)
        .map(|seed| batch(&columns, seed))
        .collect();
    println!(
        "{ROWS} rows x {} columns in batches of {BATCH_ROWS}; best of {ROUNDS} rounds",
        columns.len()
    );
    let ours = best(|| encode(&columns, &batches));
    report("CsvEncoder", &ours);
    let plain = best(|| plain_writer(&columns, &batches));
    report("csv::Writer", &plain);
    println!("ratio {:.2}", plain.seconds / ours.seconds);
}

struct Run {
    bytes: usize,
    seconds: f64,
}

fn best(mut round: impl FnMut() -> usize) -> Run {
    let timed = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        let bytes = round();
        Run {
            bytes,
            seconds: start.elapsed().as_secs_f64(),
        }
    });
    timed
        .min_by(|a, b| a.seconds.total_cmp(&b.seconds))
        .expect("at least one round")
}

fn report(name: &str, run: &Run) {
    println!(
        "{name:12} {:7.1} MB/s {:9.0} rows/s  ({:.3} s, {} bytes)",
        run.bytes as f64 / run.seconds / 1e6,
        ROWS as f64 / run.seconds,
        run.seconds,
        run.bytes,
    );
}

/// The batches of the whole export: the distinct ones in turn, the last one cut to size.
fn export(batches: &[RecordBatch]) -> impl Iterator<Item = RecordBatch> {
    let starts = (0..ROWS).step_by(BATCH_ROWS);
    starts
        .zip(batches.iter().cycle())
        .map(|(start, batch)| batch.slice(0, BATCH_ROWS.min(ROWS - start)))
}

fn encode(columns: &[Column], batches: &[RecordBatch]) -> usize {
    let mut encoder = CsvEncoder::new(columns);
    let mut out = Vec::new();
    let mut bytes = 0;
    encoder.begin(&mut out);
    for batch in export(batches) {
        encoder
            .write(&batch, &mut out)
            .expect("the batch fits its columns");
        if out.len() >= PART_BYTES {
            bytes += black_box(&out).len();
            out.clear();
        }
    }
    let trailer = Trailer {
        limit_reached: false,
        freshness_lag_ms: None,
    };
    encoder.finish(&trailer, &mut out).expect("an end");
    bytes + black_box(&out).len()
}

/// What one writes without an encoder of one's own: each cell formatted into a string that is reused,
/// then handed to the `csv` crate.
fn plain_writer(columns: &[Column], batches: &[RecordBatch]) -> usize {
    let mut bytes = 0;
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer
        .write_record(columns.iter().map(|column| &column.name))
        .expect("a Vec takes every byte");
    let mut text = String::new();
    for batch in export(batches) {
        for row in 0..batch.num_rows() {
            for (column, array) in columns.iter().zip(batch.columns()) {
                text.clear();
                if array.is_valid(row) {
                    format_cell(column.column_type, array, row, &mut text);
                }
                writer.write_field(&text).expect("a Vec takes every byte");
            }
            writer
                .write_record(None::<&[u8]>)
                .expect("a Vec takes every byte");
        }
        if writer.get_ref().len() >= PART_BYTES {
            let mut out = writer.into_inner().expect("a Vec takes every byte");
            bytes += black_box(&out).len();
            out.clear();
            writer = csv::Writer::from_writer(out);
        }
    }
    bytes + writer.into_inner().expect("a Vec takes every byte").len()
}

fn format_cell(column_type: ColumnType, array: &ArrayRef, row: usize, text: &mut String) {
    let written = match column_type {
        ColumnType::String | ColumnType::Decimal | ColumnType::Json => {
            text.push_str(array.as_string::<i32>().value(row));
            Ok(())
        }
        ColumnType::Integer => write!(text, "{}", array.as_primitive::<Int64Type>().value(row)),
        ColumnType::Float => write!(text, "{}", array.as_primitive::<Float64Type>().value(row)),
        ColumnType::Boolean => write!(text, "{}", array.as_boolean().value(row)),
        ColumnType::Timestamp => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            let instant = DateTime::from_timestamp_micros(micros).expect("in range");
            text.push_str(&instant.to_rfc3339_opts(SecondsFormat::AutoSi, true));
            Ok(())
        }
        ColumnType::Date => {
            let days = array.as_primitive::<Date32Type>().value(row);
            let date =
                NaiveDate::from_ymd_opt(1970, 1, 1).expect("a date") + TimeDelta::days(days.into());
            write!(text, "{date}")
        }
        ColumnType::Uuid => {
            let bytes = array.as_fixed_size_binary().value(row);
            write!(text, "{}", uuid::Uuid::from_slice(bytes).expect("16 bytes"))
        }
    };
    written.expect("a String takes every character");
}

fn columns() -> Vec<Column> {
    [
        ("session_id", ColumnType::Uuid),
        ("status", ColumnType::String),
        ("agent", ColumnType::String),
        ("title", ColumnType::String),
        ("started_at", ColumnType::Timestamp),
        ("finished_at", ColumnType::Timestamp),
        ("day", ColumnType::Date),
        ("duration_ms", ColumnType::Integer),
        ("input_tokens", ColumnType::Integer),
        ("score", ColumnType::Float),
        ("cost", ColumnType::Decimal),
        ("succeeded", ColumnType::Boolean),
        ("attributes", ColumnType::Json),
    ]
    .map(|(name, column_type)| Column {
        name: name.to_owned(),
        kind: ColumnKind::Dimension,
        column_type,
    })
    .to_vec()
}

/// One batch of made-up sessions. One in eight is unfinished and has NULLs; one title in eight has a
/// comma, one in sixteen a quote.
fn batch(columns: &[Column], seed: usize) -> RecordBatch {
    const STATUS: [&str; 4] = ["completed", "running", "failed", "cancelled"];
    const AGENT: [&str; 5] = [
        "support-agent",
        "researcher",
        "code-reviewer",
        "triage",
        "billing",
    ];
    const TITLE: [&str; 16] = [
        "Refund for a duplicate charge",
        "Weekly revenue by region, with notes",
        "Reset a password",
        "Zusammenfassung der Sitzung",
        "Why did the import stop",
        "Plan the migration, step by step",
        "Explain the invoice of March",
        "Find the slow query",
        "Translate the release notes",
        "Draft an answer to \"Where is my order?\"",
        "Review the pull request",
        "Compare two contracts",
        "List open incidents",
        "Book a room for Monday",
        "Clean up the address list",
        "Check the deployment",
    ];
    const MICROS_PER_DAY: i64 = 86_400_000_000;
    let mut state = (seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    // xorshift64: the same rows on every run, without a dependency.
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let numbers: Vec<u64> = (0..BATCH_ROWS).map(|_| random()).collect();
    let each =
        |value: fn(u64) -> Option<i64>| numbers.iter().map(|n| value(*n)).collect::<Vec<_>>();
    let text = |value: fn(u64) -> String| {
        numbers
            .iter()
            .map(|n| Some(value(*n)))
            .collect::<StringArray>()
    };

    let started =
        each(|n| Some(1_776_988_800_000_000 + (n % (30 * MICROS_PER_DAY as u64)).cast_signed()));
    let durations = each(|n| (n % 8 != 0).then_some((n >> 20).cast_signed() % 7_200_000));
    let finished: TimestampMicrosecondArray = started
        .iter()
        .zip(&durations)
        .map(|(started, duration)| Some((*started)? / 1000 * 1000 + (*duration)? * 1000))
        .collect();
    let days: Date32Array = started
        .iter()
        .map(|started| started.map(|micros| (micros / MICROS_PER_DAY) as i32))
        .collect();
    let scores: Float64Array = numbers
        .iter()
        .map(|n| (n % 8 != 0).then_some((n >> 11) as f64 / (1u64 << 53) as f64))
        .collect();
    let outcomes: BooleanArray = numbers
        .iter()
        .map(|n| (n % 8 != 0).then_some(n % 3 != 0))
        .collect();
    let ids = numbers
        .iter()
        .map(|n| (u128::from(*n) << 64 | u128::from(n.rotate_left(29))).to_be_bytes());
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(FixedSizeBinaryArray::try_from_iter(ids).expect("16 bytes each")),
        Arc::new(text(|n| {
            STATUS[(n >> 8) as usize % STATUS.len()].to_owned()
        })),
        Arc::new(text(|n| AGENT[(n >> 16) as usize % AGENT.len()].to_owned())),
        Arc::new(text(|n| TITLE[(n >> 24) as usize % TITLE.len()].to_owned())),
        Arc::new(TimestampMicrosecondArray::from(started).with_timezone("UTC")),
        Arc::new(finished.with_timezone("UTC")),
        Arc::new(days),
        Arc::new(Int64Array::from(durations)),
        Arc::new(Int64Array::from(each(|n| {
            Some((n >> 40).cast_signed() % 200_000)
        }))),
        Arc::new(scores),
        Arc::new(text(|n| format!("{}.{:06}", n % 90, (n >> 32) % 1_000_000))),
        Arc::new(outcomes),
        Arc::new(text(|n| {
            format!(r#"{{"channel":"web","retries":{}}}"#, n % 7)
        })),
    ];
    RecordBatch::try_new(arrow_schema(columns), arrays).expect("arrays of the schema")
}
