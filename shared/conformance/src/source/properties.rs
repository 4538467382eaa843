//! What any query gives, on a real database and worked out without SQL: they must agree.
//!
//! Owns the questions, the rows and the comparison; `expected` works out the answers.

mod expected;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use chrono::{DateTime, NaiveDate};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use waybill_report::column::{Column, ColumnType};
use waybill_report::query::Literal;
use waybill_report::source::{Source, SourceError, Sources};
use waybill_test_services::hostile;

use self::expected::{Expected, Row};
use super::report::{open, plan_of, sources};
use crate::queries::{Asked, FIELDS, SampleRow, asked, catalog, literal};

/// A database with an empty table `belongings`, whose columns are `owner` and
/// [`FIELDS`].
pub trait SampleTable {
    /// Puts these in place of whatever is there.
    fn fill(&self, rows: &[SampleRow]) -> impl Future<Output = ()>;

    /// The source under test.
    fn source(&self) -> Arc<dyn Source>;
}

/// Rows of several owners, and what one of them asks.
#[derive(Clone, Debug)]
struct Case {
    owner: String,
    belongings: Vec<SampleRow>,
    questions: Vec<Asked>,
}

fn cases() -> impl Strategy<Value = Case> {
    (hostile::storable(), hostile::storable()).prop_flat_map(|(owner, other)| {
        let similar = [
            format!("{owner} "),
            format!("{owner}'"),
            format!("{owner}\\"),
            owner.to_uppercase(),
        ];
        let owners = [vec![owner.clone(); 8], vec![other], similar.to_vec()].concat();
        let belongings = vec((select(owners), cells()), 0..14);
        (Just(owner), belongings, vec(asked(), 1..5)).prop_map(|(owner, rows, questions)| Case {
            owner,
            belongings: (0_i64..).zip(rows).map(numbered).collect(),
            questions,
        })
    })
}

fn cells() -> Vec<BoxedStrategy<Option<Literal>>> {
    let cell = |(_, column_type): &(_, ColumnType)| {
        prop_oneof![1 => Just(None), 5 => literal(*column_type).prop_map(Some)].boxed()
    };
    FIELDS.iter().map(cell).collect()
}

fn numbered((id, (owner, mut cells)): (i64, (String, Vec<Option<Literal>>))) -> SampleRow {
    cells[0] = Some(Literal::Integer(id));
    SampleRow { owner, cells }
}

/// Fills the table and asks, `cases` times unless `PROPTEST_CASES` says otherwise; `make` makes the table.
pub fn run<S: SampleTable>(cases: u32, make: impl AsyncFnOnce() -> S) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let table = runtime.block_on(make());
    let sources = sources(table.source());
    proptest!(ProptestConfig::with_cases(cases), |(case in self::cases())| {
        runtime.block_on(async {
            table.fill(&case.belongings).await;
            for asked in &case.questions {
                check(&sources, &case, asked).await?;
            }
            Ok::<_, TestCaseError>(())
        })?;
    });
}

async fn check(sources: &Sources, case: &Case, asked: &Asked) -> Result<(), TestCaseError> {
    let plan = plan_of(&catalog(), &case.owner, asked.query.clone());
    let expected = Expected::of(&plan, asked, &case.belongings);
    let mut found: Vec<Row> = Vec::new();
    let mut snapshot = open(sources, &plan).await.map_err(|error| failed(&error))?;
    while let Some(batch) = snapshot.next().await {
        found.extend(rows(
            &batch.map_err(|error| failed(&error))?,
            plan.columns(),
        ));
    }
    expected.check(&found)
}

fn failed(error: &SourceError) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

/// The values of a batch.
fn rows(batch: &RecordBatch, columns: &[Column]) -> Vec<Row> {
    (0..batch.num_rows())
        .map(|row| {
            let cells = columns.iter().zip(batch.columns());
            cells
                .map(|(column, array)| {
                    let cell = || value(array.as_ref(), row, column.column_type);
                    array.is_valid(row).then(cell)
                })
                .collect()
        })
        .collect()
}

fn value(array: &dyn Array, row: usize, column_type: ColumnType) -> Literal {
    match column_type {
        ColumnType::String | ColumnType::Json => {
            Literal::String(array.as_string::<i32>().value(row).to_owned())
        }
        ColumnType::Decimal => Literal::Decimal(array.as_string::<i32>().value(row).to_owned()),
        ColumnType::Integer => Literal::Integer(array.as_primitive::<Int64Type>().value(row)),
        ColumnType::Float => Literal::Float(array.as_primitive::<Float64Type>().value(row)),
        ColumnType::Boolean => Literal::Boolean(array.as_boolean().value(row)),
        ColumnType::Timestamp => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            Literal::Timestamp(DateTime::from_timestamp_micros(micros).expect("an instant"))
        }
        ColumnType::Date => {
            let days = array.as_primitive::<Date32Type>().value(row);
            Literal::Date(NaiveDate::from_epoch_days(days).expect("a day"))
        }
        ColumnType::Uuid => {
            let bytes = array.as_fixed_size_binary().value(row);
            Literal::Uuid(Uuid::from_slice(bytes).expect("16 bytes"))
        }
    }
}
