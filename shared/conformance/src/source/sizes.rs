//! How large cells, rows and answers may be.

use std::time::Duration;

use serde_json::{Value, json};
use waybill_report::size::{Oversize, SizeLimits};
use waybill_report::source::SourceError;

use super::backend::Backend;
use super::report::{CATALOG, MAX_CELL_BYTES, SIZES, csv, file, open, plan, plan_of, sources};

pub(super) async fn run<B: Backend>(fresh: &impl AsyncFn() -> B) {
    cells_are_as_large_as_they_may_be_and_no_larger(&fresh().await).await;
    rows_are_as_large_as_they_may_be_and_no_larger(&fresh().await).await;
    computed_cells_are_bounded_too(&fresh().await).await;
    nobody_can_feign_a_cell_that_is_too_large(&fresh().await).await;
    large_rows_are_read_one_by_one(&fresh().await).await;
    an_answer_reads_no_more_than_it_holds(&fresh().await).await;
}

/// A row whose text and document have so many bytes.
fn large<B: Backend>(backend: &B, i: i64, text: usize, document: usize) {
    let document = document.saturating_sub(2);
    backend.execute(&format!(
        "INSERT INTO things (org, at, i, s, j)
         WITH RECURSIVE x(t) AS (SELECT CAST('x' AS text) UNION ALL SELECT t || t FROM x WHERE length(t) < {most})
         SELECT 'a', '2026-01-05T00:00:00Z', {i}, substr(t, 1, {text}), {json}
         FROM x ORDER BY length(t) DESC LIMIT 1",
        most = text.max(document),
        json = B::document(&format!("'\"' || substr(t, 1, {document}) || '\"'")),
    ));
}

/// What is too large in a report.
async fn oversize(backend: &impl Backend, catalog: &str, query: Value) -> Oversize {
    let plan = plan_of(catalog, "a", query);
    let error = file(&sources(backend.source()), &plan).await;
    match error.expect_err("too large") {
        SourceError::TooLarge(oversize) => oversize,
        other => panic!("{other}"),
    }
}

async fn cells_are_as_large_as_they_may_be_and_no_larger(backend: &impl Backend) {
    large(backend, 1, MAX_CELL_BYTES, 2);
    large(backend, 2, 0, MAX_CELL_BYTES);
    let all = json!({ "dataset": "things", "dimensions": ["i", "s", "j"], "order_by": [{ "dimension": "i" }] });
    let whole = csv(backend, all.clone()).await;
    assert!(whole.len() > 2 * MAX_CELL_BYTES, "{}", whole.len());

    for (i, text, document, column) in [
        (3, MAX_CELL_BYTES + 1, 2, "s"),
        (4, 2, MAX_CELL_BYTES + 1, "j"),
        (5, 20 * MAX_CELL_BYTES, 2, "s"),
    ] {
        large(backend, i, text, document);
        let filters = json!([{ "field": "i", "op": "lte", "value": i }]);
        for order in [
            json!([]),
            json!([{ "dimension": "b" }, { "dimension": "i" }]),
        ] {
            let query = json!({
                "dataset": "things", "dimensions": ["i", "b", "s", "j"], "filters": filters, "order_by": order,
            });
            let found = oversize(backend, CATALOG, query).await;
            let expected = Oversize {
                column: Some(column.to_owned()),
                limit: MAX_CELL_BYTES,
                size: Some(text.max(document) as u64),
            };
            assert_eq!(found, expected);
        }
        // Who does not ask for it has a report.
        let others = json!({ "dataset": "things", "dimensions": ["i", "at"] });
        assert_eq!(csv(backend, others).await.lines().count(), 4);
        backend.execute(&format!("DELETE FROM things WHERE i = {i}"));
    }
    assert_eq!(
        csv(backend, all).await,
        whole,
        "the source is none the worse"
    );
}

async fn rows_are_as_large_as_they_may_be_and_no_larger(backend: &impl Backend) {
    // A text that is selected several times, under other names.
    let mut catalog = CATALOG.to_owned();
    for n in 2..=4 {
        let again = format!(
            "j = {{ sql = \"j\", type = \"json\" }}\ns{n} = {{ sql = \"s\", type = \"string\" }}"
        );
        catalog = catalog.replacen("j = { sql = \"j\", type = \"json\" }", &again, 1);
    }
    large(backend, 1, MAX_CELL_BYTES, 2);
    let sources = sources(backend.source());
    let two = json!({ "dataset": "things", "dimensions": ["i", "s", "s2"] });
    let whole = file(&sources, &plan_of(&catalog, "a", two)).await;
    assert!(whole.expect("a row").len() > 2 * MAX_CELL_BYTES);
    let three = json!({ "dataset": "things", "dimensions": ["i", "s", "s2", "s3"] });
    let found = oversize(backend, &catalog, three.clone()).await;
    assert_eq!((found.column, found.limit), (None, 2 * MAX_CELL_BYTES));

    backend.execute("DELETE FROM things");
    large(backend, 1, MAX_CELL_BYTES / 2, 2);
    let four = json!({ "dataset": "things", "dimensions": ["s", "s2", "s3", "s4"] });
    let whole = file(&sources, &plan_of(&catalog, "a", four)).await;
    assert!(whole.expect("a row").len() > 2 * MAX_CELL_BYTES);
}

async fn computed_cells_are_bounded_too(backend: &impl Backend) {
    large(backend, 1, MAX_CELL_BYTES, 2);
    let catalog = CATALOG
        .replace("s = { sql = \"s\"", "s = { sql = \"s || s\"")
        .replace("max(s COLLATE \"C\")", "max(s || s)")
        .replace("max(s)", "max(s || s)");
    let query = json!({ "dataset": "things", "dimensions": ["i", "s"] });
    let found = oversize(backend, &catalog, query).await;
    assert_eq!(
        (found.column.as_deref(), found.limit),
        (Some("s"), MAX_CELL_BYTES)
    );
    let query = json!({ "dataset": "groups", "dimensions": ["b"], "measures": ["n", "last"] });
    let found = oversize(backend, &catalog, query).await;
    assert_eq!(
        (found.column.as_deref(), found.limit),
        (Some("last"), MAX_CELL_BYTES)
    );
}

async fn nobody_can_feign_a_cell_that_is_too_large(backend: &impl Backend) {
    let mark = "waybill: the cell is too large: 0:99999999";
    for text in [
        mark,
        "waybill:0:99999999",
        "waybill:00000000000000000000000000000000:0:99999999",
    ] {
        backend.execute(&format!(
            "INSERT INTO things (org, at, i, s) VALUES ('a', '2026-01-05T00:00:00Z', 1, '{text}')"
        ));
        let catalog = CATALOG.replace(
            "i = { sql = \"i\"",
            "i = { sql = \"json_extract('{}', s)\", postgres = \"s::int8\"",
        );
        let query = json!({ "dataset": "things", "dimensions": ["s", "i"] });
        let error = file(&sources(backend.source()), &plan_of(&catalog, "a", query)).await;
        let error = error.expect_err("no number");
        assert!(!matches!(error, SourceError::TooLarge(_)), "{error}");
        backend.execute("DELETE FROM things");
    }
}

async fn large_rows_are_read_one_by_one(backend: &impl Backend) {
    for i in 0..12 {
        large(backend, i, MAX_CELL_BYTES - 1, MAX_CELL_BYTES - 1);
    }
    let plan = plan(json!({ "dataset": "things", "dimensions": ["i", "s", "j"] }));
    let mut snapshot = open(&sources(backend.source()), &plan)
        .await
        .expect("a snapshot");
    let (mut rows, most) = (0, SIZES.batch + SIZES.row);
    while let Some(batch) = snapshot.next().await {
        let batch = batch.expect("a batch");
        rows += batch.num_rows();
        let sizes = batch
            .columns()
            .iter()
            .map(|column| column.get_buffer_memory_size());
        // A buffer grows to twice its size at most.
        assert!(sizes.sum::<usize>() < 2 * most);
    }
    assert_eq!(rows, 12);
}

async fn an_answer_reads_no_more_than_it_holds(backend: &impl Backend) {
    large(backend, 1, MAX_CELL_BYTES / 2, 2);
    let plan = plan(json!({ "dataset": "things", "dimensions": ["i", "s"] }));
    let sources = sources(backend.source());
    let read = async |max_bytes: usize| {
        let sizes = SizeLimits::of_answer(max_bytes, MAX_CELL_BYTES);
        let mut snapshot = sources.open(&plan, 10, sizes, Duration::ZERO).await?;
        let mut rows = 0;
        while let Some(batch) = snapshot.next().await {
            rows += batch?.num_rows();
        }
        Ok::<usize, SourceError>(rows)
    };
    assert_eq!(read(MAX_CELL_BYTES).await.expect("it fits"), 1);
    let error = read(100_000).await.expect_err("it does not");
    let SourceError::TooLarge(oversize) = error else {
        panic!("{error}");
    };
    assert_eq!(
        (oversize.column.as_deref(), oversize.limit),
        (Some("s"), 100_000)
    );
    assert_eq!(oversize.size, Some(MAX_CELL_BYTES as u64 / 2));
}
