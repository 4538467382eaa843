//! What is told of values that do not fit, of data that makes a statement fail, and of statements that are refused.

use serde_json::json;
use waybill_report::failure::FailureCode;
use waybill_report::source::SourceError;

use super::backend::Backend;
use super::report::{CATALOG, file, plan, plan_of, sources};

pub(super) async fn run<B: Backend>(fresh: &impl AsyncFn() -> B) {
    an_unfit_value_fails_and_names_its_column(&fresh().await).await;
    a_refused_statement_is_told(&fresh().await).await;
    a_fault_in_the_data_is_told_without_the_data(&fresh().await).await;
}

async fn an_unfit_value_fails_and_names_its_column<B: Backend>(backend: &B) {
    let (insert, column) = B::UNFIT;
    backend.execute(insert);
    let plan = plan(json!({ "dataset": "things", "dimensions": ["s", column] }));
    let sources = sources(backend.source());
    let error = file(&sources, &plan).await.expect_err("an unfit value");
    assert!(
        matches!(&error, SourceError::Value { column: named, row: Some(1), .. } if named == column),
        "{error}"
    );
    assert!(!error.may_pass(), "{error}");
    let failure = error.failure().expect("a client can act");
    assert_eq!(failure.code, FailureCode::ValueUnrepresentable, "{error}");
    let place = format!("The column {column} has, in row 1 of the file, a value");
    assert!(failure.detail.starts_with(&place), "{failure:?}");
    let other = self::plan(json!({ "dataset": "things", "dimensions": ["s"] }));
    file(&sources, &other).await.expect("another column");
}

async fn a_refused_statement_is_told(backend: &impl Backend) {
    let sources = sources(backend.source());
    let plan = plan(json!({ "dataset": "things", "dimensions": ["i"] }));
    file(&sources, &plan).await.expect("a report");

    let wrong = CATALOG.replace("i = { sql = \"i\"", "i = { sql = \"no_such_function(i)\"");
    let wrong = plan_of(
        &wrong,
        "a",
        json!({ "dataset": "things", "dimensions": ["i"] }),
    );
    let error = sources.estimate(&wrong, u64::MAX, Some(1)).await;
    let error = error.expect_err("no rows are expected of what cannot run");
    assert!(matches!(error, SourceError::Refused(_)), "{error}");

    backend.execute("DROP TABLE things");
    let error = file(&sources, &plan).await.expect_err("no such table");
    assert!(matches!(error, SourceError::Refused(_)), "{error}");
}

/// A document that is none, a text that is no number, a sum that is too large.
async fn a_fault_in_the_data_is_told_without_the_data(backend: &impl Backend) {
    backend.execute(
        "INSERT INTO things (org, at, s, i) VALUES
           ('a', '2026-01-04', '{}', 1),
           ('a', '2026-01-05', 'hunter2', 9223372036854775807)",
    );
    let catalog = CATALOG
        .replace(
            "s = { sql = \"s\", type = \"string\" }\ni",
            "s = { sql = \"json_extract(s, '$.a')\", postgres = \"s::json ->> 'a'\", type = \"string\" }\ni",
        )
        ;
    let sources = sources(backend.source());
    for query in [
        json!({ "dataset": "things", "dimensions": ["s"] }),
        json!({ "dataset": "groups", "measures": ["total"] }),
    ] {
        let error = file(&sources, &plan_of(&catalog, "a", query)).await;
        let error = error.expect_err("the data does not allow it");
        let expected = match &error {
            SourceError::Query(_) => FailureCode::QueryFailed,
            SourceError::Value { .. } => FailureCode::ValueUnrepresentable,
            error => panic!("{error}"),
        };
        assert!(!error.may_pass(), "{error}");
        let failure = error.failure().expect("a client can act");
        assert_eq!(failure.code, expected, "{error}");
        for text in [format!("{error} {error:?}"), failure.detail] {
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
    let other = plan(json!({ "dataset": "things", "dimensions": ["i"] }));
    file(&sources, &other).await.expect("another column");
}
