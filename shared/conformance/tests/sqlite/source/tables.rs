//! What a draft makes of columns that may hold anything.

use waybill_report::catalog::{self, Catalog};
use waybill_report::draft::draft;

use super::*;

/// A table of these columns (name and declaration, value) and of an organisation, with the row twice.
async fn drafted(columns: &[(&str, &str)]) -> (String, Vec<(String, String, &'static str)>) {
    let things = Things::new();
    let declared: Vec<&str> = columns.iter().map(|(declared, _)| *declared).collect();
    let values: Vec<&str> = columns.iter().map(|(_, value)| *value).collect();
    things.execute(&format!(
        "DROP TABLE things;
         CREATE TABLE samples (org TEXT, occurred_at TEXT, {});
         INSERT INTO samples VALUES ('a', '2026-03-01T10:00:00Z', {1}), ('a', '2026-03-01T10:00:00Z', {1});",
        declared.join(", "),
        values.join(", ")
    ));
    let source = things.source();
    let tables = source.tables().await.expect("an answer");
    let draft = draft("default", &tables);
    let catalog = Catalog::parse(&draft.text).unwrap_or_else(|why| panic!("{why}\n{}", draft.text));
    let sources = sources(source);
    let findings = catalog.check(&sources).await.expect("an answer");
    assert_eq!(findings.faults, None, "{}", draft.text);
    for dataset in catalog.datasets() {
        // All of it is read, so that every value is of its type.
        let names = |fields: &[catalog::Field]| -> Vec<String> {
            fields.iter().map(|field| field.name.clone()).collect()
        };
        let query = json!({ "dataset": dataset.name, "dimensions": names(&dataset.dimensions),
            "measures": names(&dataset.measures) });
        let report = file(&sources, &plan_of(&draft.text, "a", query)).await;
        let report = report.unwrap_or_else(|why| panic!("{why}\n{}", draft.text));
        assert!(report.contains("2026-03-01"), "{report}");
    }
    let rows = catalog.dataset("samples_rows").expect("the rows");
    let fields = rows.dimensions.iter().skip(2);
    let found = fields
        .map(|field| {
            let sql = field.expression.sql.clone();
            (field.name.clone(), sql, field.column_type.name())
        })
        .collect();
    (draft.text, found)
}

#[tokio::test]
async fn values_tell_the_type_where_a_declaration_does_not() {
    let (text, found) = drafted(&[
        ("a", "1"),
        ("b", "1.5"),
        ("c", "'text'"),
        ("d TEXT", "'2026-03-01'"),
        ("e TEXT", "'2026-03-01 10:00:00'"),
        ("f TEXT", "'0193aaaa-0000-7000-8000-000000000001'"),
        ("g TEXT", "'{\"a\": 1}'"),
        ("h BOOLEAN", "1"),
        ("i INTEGER", "'n/a'"),
        ("j DECIMAL(10,2)", "2.5"),
        ("k REAL", "3"),
        ("some_uuid BLOB", "x'0193aaaa000070008000000000000001'"),
        ("seen_at INTEGER", "1772359200"),
        ("sent_at INTEGER", "1772359200500"),
        ("made_at REAL", "2461100.5"),
        ("read_at REAL", "1772359200.25"),
        ("at_local TEXT", "'2026-03-01 01:00:00+02:00'"),
        ("md5 TEXT", "'0193aaaa000070008000000000000001'"),
        ("count_of INTEGER", "1772359200"),
        ("l DATETIME", "NULL"),
        ("m INTEGER", "NULL"),
        ("n", "NULL"),
    ])
    .await;
    let types: Vec<(&str, &str)> = found
        .iter()
        .map(|(name, _, kind)| (name.as_str(), *kind))
        .collect();
    assert_eq!(
        types,
        [
            ("a", "integer"),
            ("b", "float"),
            ("c", "string"),
            ("d", "date"),
            ("e", "timestamp"),
            ("f", "uuid"),
            ("g", "json"),
            ("h", "boolean"),
            ("i", "string"),
            ("j", "decimal"),
            ("k", "float"),
            ("some_uuid", "uuid"),
            ("seen_at", "timestamp"),
            ("sent_at", "timestamp"),
            ("made_at", "timestamp"),
            ("read_at", "timestamp"),
            ("at_local", "timestamp"),
            ("md5", "string"),
            ("count_of", "integer"),
            ("l", "timestamp"),
            ("m", "integer"),
            ("n", "string"),
        ],
        "{text}"
    );
}

#[tokio::test]
async fn bytes_are_left_out_and_told() {
    let (text, found) =
        drafted(&[("photo BLOB", "x'00'"), ("mixed", "x'00'"), ("kept", "1")]).await;
    let names: Vec<&str> = found.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["kept"]);
    assert!(
        text.contains("# photo (BLOB): no catalog type holds bytes; hex(photo)"),
        "{text}"
    );
}

#[tokio::test]
async fn a_view_of_what_is_gone_hides_no_other_table() {
    let things = Things::new();
    things.execute(
        "CREATE TABLE gone (org, at); CREATE VIEW broken AS SELECT org, at FROM gone; DROP TABLE gone;
         INSERT INTO things (org, at) VALUES ('a', '2026-03-01');",
    );
    let tables = things.source().tables().await.expect("an answer");
    let draft = draft("default", &tables);
    assert_eq!(
        (draft.datasets, draft.undecided),
        (2, vec!["broken".to_owned()])
    );
}
