//! What every source must do, whichever database it is on. A source's own tests call [`run`].

pub mod properties;

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use serde_json::{Value, json};
use waybill_report::caller::{Caller, OrgId, Role};
use waybill_report::catalog::{self, Catalog};
use waybill_report::encode::{Format, Trailer, encoder};
use waybill_report::failure::FailureCode;
use waybill_report::query::{MAX_COLUMNS, MAX_FILTERS, MAX_IN_VALUES, ReportPlan, ReportRequest};
use waybill_report::size::{Oversize, SizeLimits};
use waybill_report::source::{BATCH_ROWS, RowEstimate, Snapshot, Source, SourceError, Sources};

/// An empty database with the table `things`, whose columns are `org at s i f d b day u j`.
pub trait Backend: Sync {
    /// Runs SQL as the owner of the data, beside the source.
    fn execute(&self, sql: &str);

    /// The source under test.
    fn source(&self) -> Arc<dyn Source>;

    /// A text as a value of the column `j`.
    fn document(text: &str) -> String;

    /// A row of `things` with a value that a report has no place for, and its column.
    const UNFIT: (&'static str, &'static str);
}

/// Runs the suite; `fresh` makes an empty backend.
pub async fn run<B: Backend>(fresh: impl AsyncFn() -> B) {
    nine_types_and_null_arrive(&fresh().await).await;
    extremes_arrive(&fresh().await).await;
    nothing_found_is_a_header(&fresh().await).await;
    the_range_is_half_open(&fresh().await).await;
    instants_compare_exactly(&fresh().await).await;
    organisations_are_kept_apart(&fresh().await).await;
    every_filter_selects_what_it_says(&fresh().await).await;
    as_many_filters_as_there_can_be_are_answered(&fresh().await).await;
    every_type_has_one_order(&fresh().await).await;
    a_constant_is_a_value_and_no_place(&fresh().await).await;
    as_many_columns_as_there_can_be_are_read(&fresh().await).await;
    groups_are_counted(&fresh().await).await;
    limits_meet(&fresh().await).await;
    many_rows_come_in_batches(&fresh().await).await;
    a_snapshot_does_not_see_later_writes(&fresh().await).await;
    freshness_is_looked_for_only_where_it_may_be(&fresh().await).await;
    a_dropped_snapshot_spoils_no_other(&fresh().await).await;
    cells_are_as_large_as_they_may_be_and_no_larger(&fresh().await).await;
    rows_are_as_large_as_they_may_be_and_no_larger(&fresh().await).await;
    computed_cells_are_bounded_too(&fresh().await).await;
    nobody_can_feign_a_cell_that_is_too_large(&fresh().await).await;
    large_rows_are_read_one_by_one(&fresh().await).await;
    an_answer_reads_no_more_than_it_holds(&fresh().await).await;
    an_unfit_value_fails_and_names_its_column(&fresh().await).await;
    a_refused_statement_is_told(&fresh().await).await;
    a_fault_in_the_data_is_told_without_the_data(&fresh().await).await;
    a_catalog_is_held_against_its_source(&fresh().await).await;
    missing_indexes_are_warned_of(&fresh().await).await;
    a_drafted_catalog_fits_its_source(&fresh().await).await;
    rows_without_a_time_are_counted(&fresh().await).await;
}

/// The catalog of these tests.
pub const CATALOG: &str = r#"
[datasets.things]
table = "things"
grain = "row"
tenant = "org"
time = "at"
updated = "at"

[datasets.things.dimensions]
s = { sql = "s", type = "string" }
i = { sql = "i", type = "integer" }
f = { sql = "f", type = "float" }
d = { sql = "d", type = "decimal" }
b = { sql = "b", type = "boolean" }
at = { sql = "at", type = "timestamp" }
day = { sql = "day", type = "date" }
u = { sql = "u", type = "uuid" }
j = { sql = "j", type = "json" }

[datasets.groups]
table = "things"
grain = "aggregate"
tenant = "org"
time = "at"

[datasets.groups.dimensions]
s = { sql = "s", type = "string" }
d = { sql = "d", type = "decimal" }
u = { sql = "u", type = "uuid" }
at = { sql = "at", type = "timestamp" }
b = { sql = "b", type = "boolean" }
day = { sql = "day", type = "date" }
j = { sql = "j", type = "json" }

[datasets.groups.measures]
n = { sql = "count(*)", type = "integer" }
total = { sql = "sum(i)", type = "integer" }
last = { sql = "max(s)", postgres = 'max(s COLLATE "C")', type = "string" }
"#;

const ALL: [&str; 9] = ["s", "i", "f", "d", "b", "at", "day", "u", "j"];

/// The source under the name that the catalogs of these tests use.
pub fn sources(source: Arc<dyn Source>) -> Sources {
    let mut sources = Sources::default();
    sources.add("default", source);
    sources
}

/// A plan for an organisation; every row of the years 2026 unless the query says otherwise.
pub fn plan_of(catalog: &str, org: &str, mut query: Value) -> ReportPlan {
    let year = json!({ "from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z" });
    if let Some(members) = query.as_object_mut() {
        members.entry("time_range").or_insert(year);
        members.entry("limit").or_insert(Value::Null);
    }
    let body = json!({ "query": query });
    let request = ReportRequest::export(body.to_string().as_bytes()).expect("JSON");
    let caller = Caller {
        org: OrgId::new(org),
        role: Role::Admin,
        key: None,
        datasets: None,
    };
    let catalog = Catalog::parse(catalog).expect("the test's catalog");
    catalog.plan(&request, &caller).expect("a valid query")
}

fn plan(query: Value) -> ReportPlan {
    plan_of(CATALOG, "a", query)
}

/// What a cell may have in these tests.
const MAX_CELL_BYTES: usize = 1 << 20;
/// The limits of what is read in tests.
pub const SIZES: SizeLimits = SizeLimits::of_export(MAX_CELL_BYTES);

/// A snapshot of a million rows at most, with two seconds to find the newest row.
///
/// # Errors
/// As [`Sources::open`].
pub async fn open(sources: &Sources, plan: &ReportPlan) -> Result<Snapshot, SourceError> {
    let budget = Duration::from_secs(2);
    sources.open(plan, 1_000_000, SIZES, budget).await
}

/// The whole report as a CSV file.
///
/// # Errors
/// As [`Sources::open`] and [`Snapshot::next`].
pub async fn file(sources: &Sources, plan: &ReportPlan) -> Result<String, SourceError> {
    let mut snapshot = open(sources, plan).await?;
    let mut encoder = encoder(Format::Csv, plan.columns(), snapshot.materialized_at, true);
    let mut file = Vec::new();
    encoder.begin(&mut file);
    while let Some(batch) = snapshot.next().await {
        encoder
            .write(&batch?, &mut file)
            .expect("an encodable batch");
    }
    let trailer = Trailer {
        limit_reached: false,
        freshness_lag_ms: None,
    };
    encoder.finish(&trailer, &mut file);
    Ok(String::from_utf8(file).expect("UTF-8"))
}

async fn csv(backend: &impl Backend, query: Value) -> String {
    let file = file(&sources(backend.source()), &plan(query)).await;
    file.expect("a report")
}

/// The integers that a query selects, in their order.
async fn integers(backend: &impl Backend, mut query: Value) -> Vec<i64> {
    query["dataset"] = "things".into();
    query["dimensions"] = json!(["i"]);
    let csv = csv(backend, query).await;
    let cells = csv.lines().skip(1);
    cells
        .map(|cell| cell.parse().expect("an integer"))
        .collect()
}

async fn nine_types_and_null_arrive(backend: &impl Backend) {
    backend.execute(
        r#"INSERT INTO things (org, at, s, i, f, d, b, day, u, j) VALUES
            ('a', '2026-03-01 10:00:00Z', 'x', 1, 1.5, '1.50', TRUE, '2026-03-01',
             '0193AAAA-0000-7000-8000-000000000001', '{"k": [1, 2.50]}'),
            ('a', '2026-01-01 00:00:00Z', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
            ('b', '2026-03-01 10:00:00Z', 'secret', 1, 1, 1, TRUE, NULL, NULL, NULL)"#,
    );
    let order = json!([{ "dimension": "at", "direction": "desc" }]);
    let query = json!({ "dataset": "things", "dimensions": ALL, "order_by": order });
    assert_eq!(
        csv(backend, query).await,
        "s,i,f,d,b,at,day,u,j\n\
         x,1,1.5,1.50,true,2026-03-01T10:00:00Z,2026-03-01,0193aaaa-0000-7000-8000-000000000001,\"{\"\"k\"\":[1,2.50]}\"\n\
         ,,,,,2026-01-01T00:00:00Z,,,\n"
    );
}

async fn extremes_arrive(backend: &impl Backend) {
    backend.execute(
        r#"INSERT INTO things (org, at, s, i, f, d, b, day, u, j) VALUES
            ('a', '0001-01-01T00:00:00Z', '', -9223372036854775807, 1.7976931348623157e308,
             '-123456789012345678901234567890.0123456789', FALSE, '0001-01-01',
             '00000000-0000-0000-0000-000000000000', ' "\u00e9 \" \\" '),
            ('a', '9999-12-31T23:59:59.999999Z', 'a"b,c
''d'' \ é 議 🚀', 9223372036854775807, 5e-324, '0.00000000000000000000', TRUE, '9999-12-31',
             'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF', '{ "b" : 1.0, "a" : [ ], "b" : 1E400 }')"#,
    );
    let query = json!({
        "dataset": "things", "dimensions": ALL, "order_by": [{ "dimension": "i" }],
        "time_range": { "from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59.999999Z" },
    });
    assert_eq!(
        csv(backend, query).await,
        "s,i,f,d,b,at,day,u,j\n\
         \"\",-9223372036854775807,1.7976931348623157e+308,-123456789012345678901234567890.0123456789,false,\
         0001-01-01T00:00:00Z,0001-01-01,00000000-0000-0000-0000-000000000000,\"\"\"\\u00e9 \\\"\" \\\\\"\"\"\n"
    );
    let query = json!({
        "dataset": "things", "dimensions": ["s", "i", "f", "d", "b", "day", "u", "j"],
        "filters": [{ "field": "i", "op": "eq", "value": i64::MAX }],
        "time_range": { "from": "9999-01-01T00:00:00Z", "to": "9999-12-31T23:59:59.999999Z" },
    });
    let nothing = csv(backend, query.clone()).await;
    assert_eq!(
        nothing.lines().count(),
        1,
        "the end of the range is not in it"
    );
    backend.execute("UPDATE things SET at = '9999-12-31T23:59:59.999998Z' WHERE i > 0");
    assert_eq!(
        csv(backend, query).await,
        "s,i,f,d,b,day,u,j\n\
         \"a\"\"b,c\n'd' \\ é 議 🚀\",9223372036854775807,5e-324,0.00000000000000000000,true,\
         9999-12-31,ffffffff-ffff-ffff-ffff-ffffffffffff,\"{\"\"b\"\":1.0,\"\"a\"\":[],\"\"b\"\":1E400}\"\n"
    );
}

async fn nothing_found_is_a_header(backend: &impl Backend) {
    let query = json!({ "dataset": "things", "dimensions": ["s", "i"] });
    assert_eq!(csv(backend, query).await, "s,i\n");
    let query = json!({ "dataset": "groups", "dimensions": ["s"], "measures": ["n"] });
    assert_eq!(csv(backend, query).await, "s,n\n");
    let query = json!({ "dataset": "groups", "measures": ["n", "total"] });
    assert_eq!(
        csv(backend, query).await,
        "n,total\n0,\n",
        "one group, of nothing"
    );
}

async fn the_range_is_half_open(backend: &impl Backend) {
    backend.execute(
        "INSERT INTO things (org, at, i) VALUES
            ('a', '2025-12-31T23:59:59.999999Z', 1),
            ('a', '2026-01-01T00:00:00Z', 2),
            ('a', '2025-12-31T20:00:00-04:00', 3),
            ('a', '2026-12-31T23:59:59.999999Z', 4),
            ('a', '2027-01-01T00:00:00Z', 5),
            ('a', '2027-01-01 05:00:00+05:30', 6),
            ('a', NULL, 7)",
    );
    let found = integers(backend, json!({ "order_by": [{ "dimension": "i" }] })).await;
    assert_eq!(found, [2, 3, 4, 6]);
}

/// Also those that lie between two that a database holds.
async fn instants_compare_exactly(backend: &impl Backend) {
    backend.execute(
        "INSERT INTO things (org, at, i) VALUES
            ('a', '2026-01-01T23:59:59.999999Z', 1),
            ('a', '2026-01-02T00:00:00Z', 2),
            ('a', '9999-12-31T23:59:59.999999Z', 3)",
    );
    let always = json!({ "from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59.9999999Z" });
    let midnight = json!("2026-01-02T00:00:00Z");
    for between in [
        "2026-01-01T23:59:59.999999999Z",
        "2026-01-02T00:59:59.9999995+01:00",
        "2026-01-01T23:59:59.999999000000000001Z",
    ] {
        for (op, value, expected) in [
            ("lt", json!(between), vec![1]),
            ("lte", json!(between), vec![1]),
            ("gt", json!(between), vec![2, 3]),
            ("gte", json!(between), vec![2, 3]),
            ("eq", json!(between), vec![]),
            ("neq", json!(between), vec![1, 2, 3]),
            ("in", json!([between]), vec![]),
            ("in", json!([between, midnight]), vec![2]),
            ("eq", midnight.clone(), vec![2]),
        ] {
            let filters = json!([{ "field": "at", "op": op, "value": value }]);
            let order = json!([{ "dimension": "i" }]);
            let query = json!({ "time_range": always, "filters": filters, "order_by": order });
            assert_eq!(integers(backend, query).await, expected, "{op} {value}");
        }
        let before = json!({ "from": "2026-01-01T00:00:00Z", "to": between });
        assert_eq!(
            integers(backend, json!({ "time_range": before })).await,
            [1]
        );
        let after = json!({ "from": between, "to": "2026-01-02T00:00:00.0000001Z" });
        assert_eq!(integers(backend, json!({ "time_range": after })).await, [2]);
    }
}

async fn organisations_are_kept_apart(backend: &impl Backend) {
    const ORGANISATIONS: [&str; 9] = [
        "a",
        "A",
        "a ",
        "7",
        "007",
        "it's",
        "a' OR 'a' = 'a",
        "\\'; --",
        "é",
    ];
    for (number, org) in ORGANISATIONS.iter().enumerate() {
        let org = org.replace('\'', "''");
        backend.execute(&format!(
            "INSERT INTO things (org, at, i) VALUES ('{org}', '2026-01-05T00:00:00Z', {number})"
        ));
    }
    let sources = sources(backend.source());
    for (number, org) in ORGANISATIONS.iter().enumerate() {
        let query = json!({ "dataset": "things", "dimensions": ["i"] });
        let file = file(&sources, &plan_of(CATALOG, org, query)).await;
        assert_eq!(file.expect("a report"), format!("i\n{number}\n"), "{org}");
    }
}

async fn every_filter_selects_what_it_says(backend: &impl Backend) {
    backend.execute(
        "INSERT INTO things (org, at, i, s, f, d, b, day, u, j) VALUES
            ('a', '2026-01-01T00:00:00Z', -1, 'B', -1.5, '-1.50', FALSE, '2026-01-01',
             '00000000-0000-0000-0000-00000000000a', '1'),
            ('a', '2026-01-02T00:00:00Z', 0, 'a', 0, '0.1', TRUE, '2026-01-02',
             '00000000-0000-0000-0000-00000000000b', '[ ]'),
            ('a', '2026-01-03T00:00:00Z', 5, 'é''\\', 1e300, '100', TRUE, '2026-01-03',
             '00000000-0000-0000-0000-00000000000c', NULL),
            ('a', '2026-01-04T00:00:00Z', 9, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    );
    // The values of the rows -1, 0 and 5, in ascending order.
    let ordered = [
        ("i", [json!(-1), json!(0), json!(5)]),
        ("s", [json!("B"), json!("a"), json!("é'\\")]),
        ("f", [json!(-1.5), json!(0), json!(1e300)]),
        ("d", [json!(-1.5), json!("0.10"), json!(1e2)]),
        (
            "at",
            ["01", "02", "03"].map(|day| json!(format!("2026-01-{day}T01:00:00+01:00"))),
        ),
        (
            "day",
            ["01", "02", "03"].map(|day| json!(format!("2026-01-{day}"))),
        ),
    ];
    let select = async |field: &str, op: &str, value: &Value| {
        let filters = json!([{ "field": field, "op": op, "value": value }]);
        integers(
            backend,
            json!({ "filters": filters, "order_by": [{ "dimension": "i" }] }),
        )
        .await
    };
    for (field, [low, middle, high]) in &ordered {
        // Row 9 has no value, except where all rows have one.
        let with_last = |mut rows: Vec<i64>| {
            if matches!(*field, "i" | "at") {
                rows.push(9);
            }
            rows
        };
        assert_eq!(select(field, "eq", middle).await, [0], "{field}");
        assert_eq!(
            select(field, "neq", middle).await,
            with_last(vec![-1, 5]),
            "{field}"
        );
        assert_eq!(
            select(field, "gt", low).await,
            with_last(vec![0, 5]),
            "{field}"
        );
        assert_eq!(
            select(field, "gte", middle).await,
            with_last(vec![0, 5]),
            "{field}"
        );
        assert_eq!(select(field, "lt", high).await, [-1, 0], "{field}");
        assert_eq!(select(field, "lte", middle).await, [-1, 0], "{field}");
        assert_eq!(
            select(field, "in", &json!([high, low])).await,
            [-1, 5],
            "{field}"
        );
    }
    let uuid = |last: &str| json!(format!("00000000-0000-0000-0000-00000000000{last}"));
    assert_eq!(select("u", "eq", &uuid("B")).await, [0]);
    assert_eq!(select("u", "neq", &uuid("b")).await, [-1, 5]);
    assert_eq!(
        select("u", "in", &json!([uuid("a"), uuid("c")])).await,
        [-1, 5]
    );
    assert_eq!(select("b", "eq", &json!(true)).await, [0, 5]);
    assert_eq!(select("b", "neq", &json!(true)).await, [-1]);
    assert_eq!(select("b", "in", &json!([false])).await, [-1]);
    for field in ["s", "f", "d", "b", "day", "u"] {
        assert_eq!(select(field, "eq", &Value::Null).await, [9], "{field}");
        assert_eq!(
            select(field, "neq", &Value::Null).await,
            [-1, 0, 5],
            "{field}"
        );
    }
    assert_eq!(select("j", "eq", &Value::Null).await, [5, 9]);
    assert_eq!(select("j", "neq", &Value::Null).await, [-1, 0]);
}

async fn as_many_filters_as_there_can_be_are_answered(backend: &impl Backend) {
    backend.execute(
        "INSERT INTO things (org, at, i) VALUES
            ('a', '2026-01-05T00:00:00Z', 5), ('a', '2026-01-05T00:00:00Z', 5000)",
    );
    let values: Vec<usize> = (0..MAX_IN_VALUES).collect();
    let filter = json!({ "field": "i", "op": "in", "value": values });
    let filters = vec![filter; MAX_FILTERS];
    assert_eq!(integers(backend, json!({ "filters": filters })).await, [5]);
}

async fn every_type_has_one_order(backend: &impl Backend) {
    // By its bytes "B" comes before "a", which no language thinks right.
    backend.execute(
        "INSERT INTO things (org, at, i, s, f, d, b, day, u, j) VALUES
            ('a', '2026-01-01T00:00:00Z', 1, 'B', -2, '-10', FALSE, '2026-01-01',
             '00000000-0000-0000-0000-00000000000a', '\"B\"'),
            ('a', '2026-01-02T00:00:00Z', 2, 'a', -1.5, '9.5', TRUE, '2026-01-02',
             '00000000-0000-0000-0000-00000000000b', '\"a\"'),
            ('a', '2026-01-03T00:00:00Z', 3, 'é', 10, '10', NULL, '2026-02-01',
             'a0000000-0000-0000-0000-000000000000', '\"é\"'),
            ('a', '2026-01-04T00:00:00Z', 4, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    );
    for field in ["s", "f", "d", "day", "u", "j"] {
        let ascending = json!({ "order_by": [{ "dimension": field }] });
        // The order may name only what is selected.
        let order = async |direction: &str, mut query: Value| {
            query["dataset"] = "things".into();
            query["dimensions"] = json!(["i", field]);
            query["order_by"][0]["direction"] = direction.into();
            let csv = csv(backend, query).await;
            let first = |line: &str| line.split(',').next().map(str::to_owned);
            csv.lines().skip(1).filter_map(first).collect::<Vec<_>>()
        };
        assert_eq!(
            order("asc", ascending.clone()).await,
            ["1", "2", "3", "4"],
            "{field}"
        );
        assert_eq!(
            order("desc", ascending).await,
            ["3", "2", "1", "4"],
            "{field}"
        );
    }
    let by_truth = json!({
        "dataset": "things", "dimensions": ["b", "i"],
        "order_by": [{ "dimension": "b", "direction": "desc" }, { "dimension": "i", "direction": "desc" }],
    });
    assert_eq!(
        csv(backend, by_truth).await,
        "b,i\ntrue,2\nfalse,1\n,4\n,3\n"
    );
}

/// SQL takes a number in GROUP BY and ORDER BY for the place of a column.
async fn a_constant_is_a_value_and_no_place(backend: &impl Backend) {
    backend.execute(
        "INSERT INTO things (org, at, i, f, s) VALUES
            ('a', '2026-01-01T00:00:00Z', 1, 1, 'x'), ('a', '2026-01-02T00:00:00Z', 2, 1, 'y')",
    );
    let catalog = CATALOG
        .replace("s = { sql = \"s\"", "s = { sql = \"'all'\"")
        .replace("i = { sql = \"i\"", "i = { sql = \"3\"")
        .replace("f = { sql = \"f\"", "f = { sql = \"2.5\"")
        .replace("d = { sql = \"d\"", "d = { sql = \"(4) /* four */\"")
        .replace(
            "[datasets.groups.dimensions]\n",
            "[datasets.groups.dimensions]\ni = { sql = \" -7\", type = \"integer\" }\n\
             one = { sql = \"+ (1)\", type = \"integer\" }\n",
        );
    let sources = sources(backend.source());
    let all = ["s", "i", "f", "d"];
    let order = all.map(|name| json!({ "dimension": name, "direction": "desc" }));
    let query = json!({ "dataset": "things", "dimensions": all, "order_by": order });
    let csv = file(&sources, &plan_of(&catalog, "a", query)).await;
    assert_eq!(
        csv.expect("a report"),
        "s,i,f,d\nall,3,2.5,4\nall,3,2.5,4\n"
    );
    let all = ["i", "s", "one", "d"];
    let order = all.map(|name| json!({ "dimension": name }));
    let query =
        json!({ "dataset": "groups", "dimensions": all, "measures": ["n"], "order_by": order });
    let csv = file(&sources, &plan_of(&catalog, "a", query)).await;
    assert_eq!(csv.expect("a report"), "i,s,one,d,n\n-7,all,1,4,2\n");
    let filters = json!([{ "field": "one", "op": "eq", "value": 1 }, { "field": "s", "op": "eq", "value": "all" }]);
    let query = json!({ "dataset": "groups", "measures": ["n"], "filters": filters });
    let csv = file(&sources, &plan_of(&catalog, "a", query)).await;
    assert_eq!(csv.expect("a report"), "n\n2\n");
}

async fn groups_are_counted(backend: &impl Backend) {
    backend.execute(
        "INSERT INTO things (org, at, i, s, d, b, j) VALUES
            ('a', '2026-01-01T10:00:00Z', 1, 'x', '10', TRUE, '{ }'),
            ('a', '2026-01-01T12:00:00+02:00', 2, 'x', '10', TRUE, '{ }'),
            ('a', '2026-01-01T10:00:00.5Z', 3, 'X', '9.5', FALSE, '[1, 2]'),
            ('a', '2026-01-02T00:00:00Z', NULL, NULL, NULL, NULL, NULL),
            ('b', '2026-01-01T10:00:00Z', 9, 'x', '10', TRUE, '{ }')",
    );
    let query = json!({
        "dataset": "groups", "dimensions": ["s"], "measures": ["n", "total"],
        "order_by": [{ "measure": "n", "direction": "desc" }],
    });
    assert_eq!(csv(backend, query).await, "s,n,total\nx,2,3\nX,1,3\n,1,\n");
    let query = json!({
        "dataset": "groups", "dimensions": ["at", "b"], "order_by": [{ "dimension": "at" }],
    });
    assert_eq!(
        csv(backend, query).await,
        "at,b,row_count\n\
         2026-01-01T10:00:00Z,true,2\n\
         2026-01-01T10:00:00.5Z,false,1\n\
         2026-01-02T00:00:00Z,,1\n"
    );
    let query = json!({
        "dataset": "groups", "dimensions": ["d", "j"], "measures": ["n", "last"],
        "order_by": [{ "measure": "last" }, { "dimension": "d" }],
    });
    assert_eq!(
        csv(backend, query).await,
        "d,j,n,last\n9.5,\"[1,2]\",1,X\n10,{},2,x\n,,1,\n"
    );
    let query = json!({ "dataset": "groups", "dimensions": ["day", "u"], "measures": ["n"] });
    assert_eq!(csv(backend, query).await, "day,u,n\n,,4\n");
    let query = json!({ "dataset": "groups", "measures": ["n", "total", "last"] });
    assert_eq!(csv(backend, query).await, "n,total,last\n4,6,x\n");
}

async fn limits_meet(backend: &impl Backend) {
    backend.execute(
        "INSERT INTO things (org, at, i) VALUES
            ('a', '2026-01-01T00:00:00Z', 1), ('a', '2026-01-02T00:00:00Z', 2), ('a', '2026-01-03T00:00:00Z', 3)",
    );
    let query = json!({ "order_by": [{ "dimension": "i", "direction": "desc" }], "limit": 2 });
    assert_eq!(integers(backend, query).await, [3, 2]);
    let sources = sources(backend.source());
    let all = plan(json!({ "dataset": "things", "dimensions": ["i"] }));
    for (most_rows, expected) in [(1, 1), (3, 3), (u64::MAX, 3)] {
        let snapshot = sources.open(&all, most_rows, SIZES, Duration::ZERO).await;
        let rows = rows(snapshot.expect("a snapshot")).await;
        assert_eq!(rows.expect("whole"), expected);
        let estimate = sources.estimate(&all, most_rows, None).await;
        let estimate = estimate.expect("an answer").and_then(RowEstimate::about);
        assert!(estimate.is_some_and(|rows| rows <= most_rows));
    }
}

async fn rows(mut snapshot: Snapshot) -> Result<usize, SourceError> {
    let mut rows = 0;
    while let Some(batch) = snapshot.next().await {
        rows += batch?.num_rows();
    }
    Ok(rows)
}

/// So many rows that every source has to stop and wait for its reader.
const MANY: usize = 200_000;

fn many(backend: &impl Backend) {
    backend.execute(&format!(
        "INSERT INTO things (org, at, i)
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY})
         SELECT 'a', '2026-01-05T00:00:00Z', i FROM n"
    ));
}

async fn many_rows_come_in_batches(backend: &impl Backend) {
    many(backend);
    let plan = plan(json!({ "dataset": "things", "dimensions": ["i", "s"] }));
    let mut snapshot = open(&sources(backend.source()), &plan)
        .await
        .expect("a snapshot");
    let mut sizes = Vec::new();
    while let Some(batch) = snapshot.next().await {
        sizes.push(batch.expect("a batch").num_rows());
    }
    assert_eq!(sizes.iter().sum::<usize>(), MANY);
    assert!(sizes.iter().all(|rows| (1..=BATCH_ROWS).contains(rows)));
    assert!(sizes.len() <= MANY / BATCH_ROWS + 1, "batches are full");
}

async fn a_snapshot_does_not_see_later_writes(backend: &impl Backend) {
    backend.execute("INSERT INTO things (org, at, i) VALUES ('a', '2026-01-05T00:00:00Z', 1)");
    let before = chrono::Utc::now();
    let plan = plan(json!({ "dataset": "things", "dimensions": ["i"] }));
    let sources = sources(backend.source());
    let snapshot = open(&sources, &plan).await.expect("a snapshot");
    backend.execute("INSERT INTO things (org, at, i) VALUES ('a', '2026-01-06T00:00:00Z', 2)");
    let updated = snapshot
        .source_updated_at
        .map(|updated| updated.to_rfc3339());
    assert_eq!(updated.as_deref(), Some("2026-01-05T00:00:00+00:00"));
    assert!((before..=chrono::Utc::now()).contains(&snapshot.materialized_at));
    assert_eq!(rows(snapshot).await.expect("whole"), 1);
    let snapshot = open(&sources, &plan).await.expect("a snapshot");
    assert_eq!(rows(snapshot).await.expect("whole"), 2, "the next one does");
}

async fn freshness_is_looked_for_only_where_it_may_be(backend: &impl Backend) {
    let sources = sources(backend.source());
    let updated = async |dataset: &str, dimension: &str, budget: Duration| {
        let query = json!({ "dataset": dataset, "dimensions": [dimension] });
        let snapshot = sources.open(&plan(query), 10, SIZES, budget).await;
        snapshot.expect("a snapshot").source_updated_at
    };
    let budget = Duration::from_secs(2);
    assert_eq!(updated("things", "i", budget).await, None, "no row");
    backend.execute(
        "INSERT INTO things (org, at) VALUES ('a', '2025-01-05T00:00:00Z'), ('b', '2026-01-05T00:00:00Z')",
    );
    assert!(
        updated("things", "i", budget).await.is_some(),
        "outside of the range too"
    );
    assert_eq!(
        updated("things", "i", Duration::ZERO).await,
        None,
        "no time"
    );
    assert_eq!(
        updated("groups", "s", budget).await,
        None,
        "no update column"
    );
}

async fn a_dropped_snapshot_spoils_no_other(backend: &impl Backend) {
    many(backend);
    let plan = plan(json!({ "dataset": "things", "dimensions": ["i"] }));
    let sources = sources(backend.source());
    for _ in 0..10 {
        let mut snapshot = open(&sources, &plan).await.expect("a snapshot");
        let first: Option<Result<RecordBatch, SourceError>> = snapshot.next().await;
        assert!(matches!(first, Some(Ok(_))));
        drop(snapshot);
    }
    let snapshot = open(&sources, &plan).await.expect("a snapshot");
    assert_eq!(rows(snapshot).await.expect("undisturbed"), MANY);
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

/// Ordered by as many as they are, too.
async fn as_many_columns_as_there_can_be_are_read(backend: &impl Backend) {
    backend.execute("INSERT INTO things (org, at, s, i) VALUES ('a', '2026-01-05', 'x', 7)");
    let kinds = [
        ("s", "string"),
        ("i", "integer"),
        ("d", "decimal"),
        ("at", "timestamp"),
    ];
    let names: Vec<String> = (0..MAX_COLUMNS)
        .map(|number| format!("c{number}"))
        .collect();
    let columns: String = names
        .iter()
        .zip(kinds.iter().cycle())
        .map(|(name, (sql, kind))| format!("{name} = {{ sql = \"{sql}\", type = \"{kind}\" }}\n"))
        .collect();
    let catalog = CATALOG.replacen(
        "[datasets.things.dimensions]\n",
        &format!("[datasets.things.dimensions]\n{columns}"),
        1,
    );
    let order: Vec<Value> = names
        .iter()
        .map(|name| json!({ "dimension": name }))
        .collect();
    let query = json!({ "dataset": "things", "dimensions": names, "order_by": order });
    let plan = plan_of(&catalog, "a", query);
    let read = file(&sources(backend.source()), &plan)
        .await
        .expect("a wide row");
    let cells = ["x", "7", "", "2026-01-05T00:00:00Z"];
    let expected: Vec<&str> = cells.into_iter().cycle().take(MAX_COLUMNS).collect();
    assert_eq!(
        read,
        format!("{}\n{}\n", names.join(","), expected.join(","))
    );
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

async fn a_catalog_is_held_against_its_source(backend: &impl Backend) {
    let sources = sources(backend.source());
    let catalog = Catalog::parse(CATALOG).expect("the test's catalog");
    let findings = catalog.check(&sources).await.expect("an answer");
    assert_eq!(findings.faults, None);

    let wrong = CATALOG
        .replace("i = { sql = \"i\"", "i = { sql = \"missing_column\"")
        .replace("j = { sql = \"j\"", "j = { sql = \"coalesce(j\"")
        .replace(
            "table = \"things\"\ngrain = \"aggregate\"",
            "table = \"nothing\"\ngrain = \"aggregate\"",
        )
        .replace(
            "tenant = \"org\"\ntime = \"at\"\nupdated",
            "tenant = \"organisation\"\ntime = \"at\"\nupdated",
        );
    let wrong = wrong.replace("coalesce(j", "coalesce(j, )");
    let catalog = Catalog::parse(&wrong).expect("sound in itself");
    let findings = catalog.check(&sources).await.expect("an answer");
    let faults = findings.faults.expect("faults");
    let found: Vec<(usize, &str)> = faults
        .iter()
        .map(|fault| (fault.line, fault.setting.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (5, "datasets.things.tenant"),
            (11, "datasets.things.dimensions.i"),
            (18, "datasets.things.dimensions.j"),
            (21, "datasets.groups.table"),
            (28, "datasets.groups.dimensions.j"),
        ][..4],
        "{faults}"
    );
    let text = faults.to_string();
    for named in ["organisation", "missing_column", "nothing"] {
        assert!(text.contains(named), "{text}");
    }
}

async fn missing_indexes_are_warned_of(backend: &impl Backend) {
    let sources = sources(backend.source());
    let shared = CATALOG.replace(
        "tenant = \"org\"\ntime = \"at\"\n\n",
        "shared = true\ntime = \"at\"\n\n",
    );
    let warnings = async |catalog: &str| {
        let catalog = Catalog::parse(catalog).expect("the test's catalog");
        let findings = catalog.check(&sources).await.expect("an answer");
        assert_eq!(findings.faults, None);
        let warnings = findings.warnings.iter();
        warnings
            .map(|warning| (warning.line, warning.setting.clone()))
            .collect::<Vec<_>>()
    };
    let time = |line, dataset: &str| (line, format!("datasets.{dataset}.time"));
    let updated = (7, "datasets.things.updated".to_owned());
    let all = [time(6, "things"), updated, time(24, "groups")];
    assert_eq!(warnings(CATALOG).await, all);
    backend.execute("CREATE INDEX of_time ON things (at, org)");
    backend.execute("CREATE INDEX of_part ON things (org, at) WHERE i > 0");
    assert_eq!(warnings(CATALOG).await, all, "neither serves");
    assert_eq!(
        warnings(&shared).await,
        all[..2],
        "but without an organisation"
    );
    backend.execute("CREATE INDEX of_org ON things (org, at, i)");
    assert_eq!(warnings(CATALOG).await, []);
    let computed = CATALOG.replace("time = \"at\"", "time = \"coalesce(at, at)\"");
    assert_eq!(
        warnings(&computed).await,
        [],
        "what is no column has no index to look for"
    );
}

async fn a_drafted_catalog_fits_its_source(backend: &impl Backend) {
    backend.execute(
        r#"CREATE TABLE "Odd ""Table; --" (
            "Tenant Id" varchar(20), "select" text, "Größe (cm)" integer, "placed At" timestamptz,
            "it's" numeric(10,2), "row_count" boolean);
        INSERT INTO "Odd ""Table; --" VALUES
            ('a', 'mine', 3, '2026-03-01 10:00:00Z', 2.25, TRUE), ('b', 'theirs', 4, '2026-03-01 10:00:00Z', 1, FALSE);
        CREATE VIEW seen AS SELECT org, at, s FROM things;
        CREATE TABLE loose (id integer, at timestamptz);
        CREATE TABLE two (org_id text, tenant_id text, at timestamptz);
        CREATE TABLE timeless (org text, n integer);
        INSERT INTO things (org, at, s, i) VALUES ('a', '2026-03-01 10:00:00Z', 'x', 1);
        CREATE INDEX of_time ON things (org, at)"#,
    );
    let source = backend.source();
    let tables = source.tables().await.expect("an answer");
    let draft = catalog::draft("default", &tables);
    assert_eq!(
        draft.undecided,
        ["loose", "timeless", "two"],
        "{}",
        draft.text
    );
    let catalog = Catalog::parse(&draft.text).unwrap_or_else(|why| panic!("{why}\n{}", draft.text));
    let names: Vec<&str> = catalog
        .datasets()
        .map(|dataset| dataset.name.as_str())
        .collect();
    let expected = [
        "odd_table",
        "odd_table_rows",
        "seen",
        "seen_rows",
        "things",
        "things_rows",
    ];
    assert_eq!(names, expected, "{}", draft.text);
    assert_eq!(draft.datasets, names.len());
    let tenantless = catalog.datasets().find(|dataset| dataset.tenant.is_none());
    assert!(tenantless.is_none(), "{tenantless:?}");
    assert!(
        draft.text.contains("an index begins with (org, at)"),
        "{}",
        draft.text
    );

    let sources = sources(source);
    let findings = catalog.check(&sources).await.expect("an answer");
    assert_eq!(findings.faults, None, "{}", draft.text);
    let rows = json!({ "dataset": "odd_table_rows",
        "dimensions": ["select", "groesse_cm", "placed_at", "it_s", "row_count_2"] });
    let rows = file(&sources, &plan_of(&draft.text, "a", rows)).await;
    assert_eq!(
        rows.expect("a report"),
        "select,groesse_cm,placed_at,it_s,row_count_2\nmine,3,2026-03-01T10:00:00Z,2.25,true\n"
    );
    let groups = json!({ "dataset": "odd_table", "dimensions": ["select"],
        "measures": ["odd_table_count", "total_groesse_cm", "avg_groesse_cm"] });
    let groups = file(&sources, &plan_of(&draft.text, "a", groups)).await;
    assert_eq!(
        groups.expect("a report"),
        "select,odd_table_count,total_groesse_cm,avg_groesse_cm\nmine,1,3,3\n"
    );
}

async fn rows_without_a_time_are_counted(backend: &impl Backend) {
    let catalog = Catalog::parse(CATALOG).expect("the test's catalog");
    let sources = sources(backend.source());
    let count = async || catalog.without_time(&sources).await.expect("an answer");
    backend.execute("INSERT INTO things (org, at) VALUES ('a', '2026-03-01T10:00:00Z')");
    assert_eq!(count().await, []);
    backend.execute("INSERT INTO things (org, at) VALUES ('a', NULL), ('b', NULL)");
    let found = count().await;
    let settings: Vec<&str> = found.iter().map(|fault| fault.setting.as_str()).collect();
    assert_eq!(settings, ["datasets.things.time", "datasets.groups.time"]);
    assert!(
        found.iter().all(|fault| fault.message.ends_with(": 2")),
        "{found:?}"
    );
}
