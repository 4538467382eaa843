//! What becomes a plan, and every way in which a request does not.

use serde_json::{Value, json};

use super::*;
use crate::caller::{Caller, OrgId, Role};
use crate::catalog::{Catalog, MAX_COLUMNS};
use crate::column::ColumnKind;
use crate::encode::Format;
use crate::spec::ReportSpec;

const CATALOG: &str = r#"
[datasets.sessions]
table = "sessions"
grain = "aggregate"
tenant = "org_id"
time = "started_at"
max_range_days = 60

[datasets.sessions.dimensions]
status = { sql = "status", type = "string" }
day = { sql = "date(started_at)", type = "date" }

[datasets.sessions.measures]
session_count = { sql = "count(*)", type = "integer" }
cost = { sql = "sum(cost)", type = "decimal" }

[datasets.sessions.filters]
status = { sql = "status", type = "string" }
cost = { sql = "cost", type = "decimal" }
tokens = { sql = "tokens", type = "integer" }
ok = { sql = "ok", type = "boolean" }
id = { sql = "id", type = "uuid" }
raw = { sql = "raw", type = "json" }

[datasets.rows]
table = "sessions"
grain = "row"
tenant = "org_id"
time = "started_at"
roles = ["admin"]

[datasets.rows.dimensions]
status = { sql = "status", type = "string" }
"#;

fn caller(role: Role) -> Caller {
    Caller {
        org: OrgId::new("org_a"),
        role,
        key: None,
        datasets: None,
    }
}

fn plan_as(role: Role, body: &Value) -> Result<ReportPlan, Rejection> {
    let catalog = Catalog::parse(CATALOG).expect("the test's catalog");
    let caller = caller(role);
    let request = ReportRequest::export(body.to_string().as_bytes())?;
    catalog.plan(&request, &caller)
}

fn query(members: Value) -> Value {
    let mut query = json!({
        "dataset": "sessions",
        "time_range": { "from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z" },
    });
    if let (Some(query), Value::Object(members)) = (query.as_object_mut(), members) {
        query.extend(members);
    }
    json!({ "query": query })
}

fn plan(members: Value) -> ReportPlan {
    plan_as(Role::Admin, &query(members)).expect("a valid query")
}

fn faults(body: &Value) -> Vec<(String, FaultCode)> {
    match plan_as(Role::Admin, body) {
        Err(Rejection::Invalid(faults)) => faults
            .into_iter()
            .map(|fault| (fault.pointer, fault.code))
            .collect(),
        other => panic!("expected faults, got {other:?}"),
    }
}

fn one_fault(members: Value) -> (String, FaultCode) {
    let faults = faults(&query(members));
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults.into_iter().next().expect("just counted")
}

#[test]
fn a_query_of_nothing_counts_rows() {
    let plan = plan(json!({}));
    assert_eq!(plan.columns()[0].name, "row_count");
    assert_eq!(plan.columns()[0].kind, ColumnKind::Measure);
    assert_eq!(plan.limit(), Some(DEFAULT_LIMIT));
    assert_eq!(plan.filename(), "sessions-20260424-20260524.csv");
}

#[test]
fn columns_come_in_request_order_dimensions_first() {
    let plan = plan(json!({
        "measures": ["cost", "session_count"], "dimensions": ["day", "status"], "limit": null,
    }));
    let names: Vec<&str> = plan
        .columns()
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(names, ["day", "status", "cost", "session_count"]);
    assert_eq!(plan.limit(), None);
}

#[test]
fn an_order_of_groups_is_made_total() {
    let plan = plan(json!({
        "dimensions": ["day", "status"], "measures": ["session_count"],
        "order_by": [{ "measure": "session_count", "direction": "desc" }, { "dimension": "status" }],
    }));
    let keys: Vec<(usize, Direction)> = plan
        .order()
        .iter()
        .map(|key| (key.column, key.direction))
        .collect();
    assert_eq!(
        keys,
        [
            (2, Direction::Desc),
            (1, Direction::Asc),
            (0, Direction::Asc)
        ]
    );
}

#[test]
fn every_fault_is_reported_at_once() {
    let body = json!({
        "format": "xls",
        "options": { "colour": "red" },
        "surprise": 1,
        "query": {
            "dataset": "sessions",
            "dimensions": ["status", "status", "nope", 7],
            "measures": ["nothing"],
            "filters": [
                { "field": "status", "op": "like", "value": "x" },
                { "field": "tokens", "op": "eq", "value": "many" },
                { "field": "colour", "op": "eq", "value": 1 },
                { "field": "status", "op": "in", "value": [] },
                { "field": "status", "op": "gt", "value": null },
            ],
            "order_by": [{ "dimension": "day" }],
            "limit": -1,
            "time_range": { "from": "2026-05-24", "to": "2026-05-24T00:00:00Z", "zone": "UTC" },
            "org_id": "org_b",
        },
    });
    use FaultCode::*;
    let expected = [
        ("/surprise", InvalidRequest),
        ("/format", UnsupportedFormat),
        ("/options/colour", InvalidOption),
        ("/query/org_id", InvalidRequest),
        ("/query/time_range/zone", InvalidRequest),
        ("/query/time_range/from", InvalidTimeRange),
        ("/query/dimensions/1", DuplicateColumn),
        ("/query/dimensions/3", InvalidRequest),
        ("/query/limit", InvalidLimit),
        ("/query/dimensions/2", UnknownDimension),
        ("/query/measures/0", UnknownMeasure),
        ("/query/filters/0/op", InvalidFilterOp),
        ("/query/filters/1/value", InvalidFilterValue),
        ("/query/filters/2/field", UnknownFilterField),
        ("/query/filters/3/value", InvalidFilterValue),
        ("/query/filters/4/value", InvalidFilterValue),
        // Not that the order names no selected column: that may be one of the faulty names.
    ];
    let expected: Vec<(String, FaultCode)> = expected
        .into_iter()
        .map(|(pointer, code)| (pointer.to_owned(), code))
        .collect();
    assert_eq!(faults(&body), expected);
}

#[test]
fn columns_are_as_many_as_there_may_be_and_no_other_fault_follows_from_more() {
    let names = |count: usize| (0..count).map(|number| format!("c{number}"));
    let dimensions: String = names(MAX_COLUMNS)
        .map(|name| format!("{name} = {{ sql = \"status\", type = \"string\" }}\n"))
        .collect();
    let wide = Catalog::parse(&format!("{CATALOG}{dimensions}")).expect("a wide dataset");
    let ask = |catalog: &Catalog, columns: usize| {
        let body = query(json!({
            "dataset": "rows", "dimensions": names(columns).collect::<Vec<_>>(),
            "order_by": [{ "dimension": "c0" }],
        }));
        let request = ReportRequest::export(body.to_string().as_bytes()).expect("JSON");
        catalog.plan(&request, &caller(Role::Admin))
    };
    let plan = ask(&wide, MAX_COLUMNS).expect("as many as there may be");
    assert_eq!(plan.columns().len(), MAX_COLUMNS);
    let Err(Rejection::Invalid(faults)) = ask(&wide, MAX_COLUMNS + 1) else {
        panic!("one too many");
    };
    let told: Vec<_> = faults
        .iter()
        .map(|fault| (fault.pointer.as_str(), fault.code))
        .collect();
    assert_eq!(told, [("/query/dimensions", FaultCode::TooManyItems)]);
    assert_eq!(faults[0].detail, "at most 1600 entries");

    let narrow = wide.with_max_columns(2);
    assert!(ask(&narrow, 2).is_ok());
    assert!(ask(&narrow, 3).is_err());
    let both = query(json!({ "dimensions": ["status", "day"], "measures": ["cost"] }));
    let request = ReportRequest::export(both.to_string().as_bytes()).expect("JSON");
    let Err(Rejection::Invalid(faults)) = narrow.plan(&request, &caller(Role::Admin)) else {
        panic!("three columns");
    };
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].pointer, "/query/measures");
    assert_eq!(
        faults[0].detail,
        "at most 2 columns, dimensions and measures together"
    );
}

#[test]
fn of_very_many_faults_the_first_are_told() {
    let mut body = query(json!({ "dimensions": ["nope"] }));
    for number in 0..2 * MAX_FAULTS {
        body["options"][number.to_string()] = json!(null);
    }
    let faults = faults(&body);
    assert_eq!(faults.len(), MAX_FAULTS + 1);
    assert_eq!(faults[0].0, "/options/0");
    let last = faults.last().expect("many");
    assert_eq!(*last, (String::new(), FaultCode::TooManyItems));
}

#[test]
fn a_query_within_a_text_is_none() {
    let hidden = query(json!({}))["query"].to_string();
    let body = json!({ "query": { "$serde_json::private::RawValue": hidden } });
    let unknown = "/query/$serde_json::private::RawValue".to_owned();
    assert!(faults(&body).contains(&(unknown, FaultCode::InvalidRequest)));
}

#[test]
fn an_entry_of_the_order_names_one_selected_column() {
    let at = |entry: Value| {
        one_fault(json!({
            "dimensions": ["status"], "measures": ["session_count"], "order_by": [entry],
        }))
    };
    let both = json!({ "dimension": "org_id", "measure": "session_count", "direction": "asc" });
    let whole = ("/query/order_by/0".to_owned(), FaultCode::InvalidOrderBy);
    assert_eq!(at(both), whole, "the published example");
    assert_eq!(at(json!({ "direction": "asc" })), whole);
    assert_eq!(
        at(json!({ "measure": "cost" })).0,
        "/query/order_by/0/measure"
    );
    assert_eq!(
        at(json!({ "measure": "session_count", "direction": "up" })).0,
        "/query/order_by/0/direction"
    );
}

#[test]
fn ranges_and_limits_have_bounds() {
    let range =
        |from: &str, to: &str| one_fault(json!({ "time_range": { "from": from, "to": to } }));
    let whole = ("/query/time_range".to_owned(), FaultCode::InvalidTimeRange);
    assert_eq!(
        range("2026-05-01T00:00:00Z", "2026-05-01T02:00:00+02:00"),
        whole
    );
    assert_eq!(range("2026-01-01T00:00:00Z", "2026-05-01T00:00:00Z"), whole);
    assert_eq!(plan(json!({ "limit": 0 })).limit(), Some(0));
    for limit in [
        json!(-1),
        json!(1.5),
        json!("10"),
        json!(true),
        json!(1e300),
    ] {
        let fault = one_fault(json!({ "limit": limit }));
        assert_eq!(fault, ("/query/limit".to_owned(), FaultCode::InvalidLimit));
    }
}

#[test]
fn a_range_may_end_with_the_last_year() {
    let plan = plan(json!({
        "time_range": { "from": "9999-12-01T00:00:00Z", "to": "9999-12-31T23:59:59.9999999Z" },
    }));
    let range = plan.query().time_range;
    assert_eq!(range.to.to_rfc3339(), "9999-12-31T23:59:59.999999900+00:00");
    assert_eq!(plan.filename(), "sessions-99991201-99991231.csv");
}

#[test]
fn values_fit_their_field() {
    let test = |field: &str, op: &str, value: Value| {
        let filter = json!({ "field": field, "op": op, "value": value });
        plan_as(Role::Admin, &query(json!({ "filters": [filter] })))
            .map(|plan| plan.predicates()[0].test.clone())
    };
    let compare = |literal| Ok(Test::Compare(FilterOp::Eq, literal));
    let decimal = |text: &str| compare(Literal::Decimal(text.to_owned()));
    let exact: Value = serde_json::from_str("12345678901234567890.1200").expect("a number");
    assert_eq!(
        test("cost", "eq", exact),
        decimal("12345678901234567890.1200")
    );
    assert_eq!(test("cost", "eq", json!("0.10")), decimal("0.10"));
    assert_eq!(
        test("tokens", "eq", json!(i64::MIN)),
        compare(Literal::Integer(i64::MIN))
    );
    assert_eq!(test("ok", "eq", json!(null)), Ok(Test::IsNull));
    assert_eq!(test("raw", "neq", json!(null)), Ok(Test::IsNotNull));
    for (field, op, value) in [
        ("status", "eq", json!("a\u{0}b")),
        ("tokens", "eq", json!(1.5)),
        ("tokens", "eq", json!(u64::MAX)),
        ("ok", "eq", json!(1)),
        ("id", "eq", json!("x")),
        ("raw", "eq", json!({})),
        ("cost", "eq", json!("NaN")),
        ("status", "in", json!(["a", null])),
        ("status", "in", json!("a")),
    ] {
        assert!(
            test(field, op, value.clone()).is_err(),
            "{field} {op} {value}"
        );
    }
    assert!(
        test("ok", "gt", json!(true)).is_err(),
        "a boolean has no order"
    );
    let many: Vec<usize> = (0..=MAX_IN_VALUES).collect();
    assert_eq!(
        one_fault(json!({ "filters": [{ "field": "tokens", "op": "in", "value": many }] })).1,
        FaultCode::TooManyItems
    );
}

#[test]
fn a_role_without_the_dataset_is_forbidden() {
    let body = json!({ "query": {
        "dataset": "rows", "dimensions": ["status"],
        "time_range": { "from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z" },
    } });
    assert!(matches!(
        plan_as(Role::Viewer, &body),
        Err(Rejection::Forbidden { .. })
    ));
    assert!(plan_as(Role::Admin, &body).is_ok());
}

#[test]
fn a_key_without_the_dataset_is_forbidden() {
    let catalog = Catalog::parse(CATALOG).expect("the test's catalog");
    let body = query(json!({ "dimensions": ["status"] })).to_string();
    let request = ReportRequest::export(body.as_bytes()).expect("JSON");
    for (datasets, allowed) in [
        (None, true),
        (Some(vec!["sessions"]), true),
        (Some(vec!["rows"]), false),
        (Some(vec![]), false),
    ] {
        let caller = Caller {
            org: OrgId::new("org_a"),
            role: Role::Admin,
            key: None,
            datasets: datasets.map(|names| names.into_iter().map(str::to_owned).collect()),
        };
        let plan = catalog.plan(&request, &caller);
        let forbidden =
            matches!(&plan, Err(Rejection::Forbidden { dataset }) if dataset == "sessions");
        assert_eq!((plan.is_ok(), forbidden), (allowed, !allowed));
    }
}

#[test]
fn rows_are_copied_not_measured() {
    let rows = |members: Value| {
        let mut body = query(members);
        body["query"]["dataset"] = json!("rows");
        faults(&body)
    };
    assert_eq!(rows(json!({}))[0].0, "/query/dimensions");
    let measured = rows(json!({ "dimensions": ["status"], "measures": ["session_count"] }));
    assert_eq!(
        measured[0],
        ("/query/measures/0".to_owned(), FaultCode::UnknownMeasure)
    );
}

#[test]
fn a_stored_query_plans_to_the_same() {
    let first = plan(json!({
        "dimensions": ["status"], "limit": null,
        "time_range": { "from": "2026-05-01T00:00:00.0000001Z", "to": "2026-05-02T00:00:00.123456789123Z" },
        "filters": [{ "field": "cost", "op": "gte", "value": "0.10" }],
        "order_by": [{ "dimension": "status", "direction": "desc" }],
    }));
    let text = serde_json::to_string(first.spec()).expect("a spec is JSON");
    let stored: ReportSpec = serde_json::from_str(&text).expect("what was just written");
    assert_eq!(&stored, first.spec());
    let catalog = Catalog::parse(CATALOG).expect("the test's catalog");
    let again = catalog
        .plan_spec(&stored, first.org())
        .expect("a query that was planned before");
    assert_eq!(again.org(), first.org());
    assert_eq!(again.spec(), first.spec());
    assert_eq!(again.order(), first.order());
}

#[test]
fn what_is_no_object_has_one_fault_at_the_root() {
    for body in ["[]", "null", "7", "\"query\""] {
        let body: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(faults(&body), [(String::new(), FaultCode::InvalidRequest)]);
    }
    assert!(ReportRequest::export(b"{").is_err());
    assert_eq!(
        faults(&json!({})),
        [("/query".to_owned(), FaultCode::InvalidRequest)]
    );
}

/// Nobody asks when it is run, so nobody's role can be wrong then.
#[test]
fn what_was_accepted_is_planned_again_whoever_may_use_it() {
    let catalog = CATALOG.replace(r#"roles = ["admin"]"#, r#"roles = ["viewer"]"#);
    let catalog = Catalog::parse(&catalog).expect("a catalog");
    let body = json!({ "dataset": "rows", "dimensions": ["status"],
        "time_range": { "from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z" } });
    let accepted: ReportQuery = serde_json::from_value(body).expect("a query");
    let spec = ReportSpec::new(accepted.clone(), Format::Csv.into());
    let again = catalog.plan_spec(&spec, &OrgId::new("org_a"));
    assert_eq!(again.expect("a plan").query(), &accepted);
}

#[test]
fn what_the_catalog_has_no_more_is_told_where_it_stands() {
    use FaultCode::{
        InvalidFilterOp, InvalidFilterValue, InvalidOrderBy, InvalidTimeRange, TooManyItems,
        UnknownDataset, UnknownDimension, UnknownFilterField, UnknownMeasure,
    };
    let accepted = plan(json!({
        "dimensions": ["status", "day"], "measures": ["cost"],
        "filters": [
            { "field": "status", "op": "gte", "value": "a" },
            { "field": "tokens", "op": "eq", "value": 1 },
            { "field": "cost", "op": "in", "value": [1, 2] },
        ],
        "order_by": [{ "measure": "cost" }, { "dimension": "status" }],
    }));
    let faults = |catalog: &str, most: usize| {
        let catalog = Catalog::parse(catalog)
            .expect("a catalog")
            .with_max_columns(most);
        let Err(Rejection::Invalid(faults)) = catalog.plan_spec(accepted.spec(), accepted.org())
        else {
            panic!("the catalog has all of it");
        };
        let told = faults.into_iter().map(|fault| (fault.pointer, fault.code));
        told.collect::<Vec<_>>()
    };
    let told = |expected: &[(&str, FaultCode)]| {
        let told = expected
            .iter()
            .map(|(pointer, code)| ((*pointer).to_owned(), *code));
        told.collect::<Vec<_>>()
    };
    let changed = CATALOG
        .replace("max_range_days = 60", "max_range_days = 1")
        .replace("day = {", "month = {")
        .replace("cost = { sql = \"sum(cost)\", type = \"decimal\" }", "")
        .replace("status = { sql = \"status\", type = \"string\" }\ncost = { sql = \"cost\", type = \"decimal\" }\ntokens", "status = { sql = \"status\", type = \"boolean\" }\ncost = { sql = \"cost\", type = \"uuid\" }\nsize");
    assert_eq!(
        faults(&changed, 2),
        told(&[
            ("/query/time_range", InvalidTimeRange),
            ("/query/measures", TooManyItems),
            ("/query/dimensions/1", UnknownDimension),
            ("/query/measures/0", UnknownMeasure),
            ("/query/filters/0/op", InvalidFilterOp),
            ("/query/filters/1/field", UnknownFilterField),
            ("/query/filters/2/value/0", InvalidFilterValue),
            ("/query/filters/2/value/1", InvalidFilterValue),
        ])
    );
    let mut spec = accepted.spec().clone();
    spec.query.order_by[1] = OrderBy {
        dimension: None,
        measure: Some("session_count".to_owned()),
        direction: Direction::Asc,
    };
    let catalog = Catalog::parse(CATALOG).expect("the test's catalog");
    let Err(Rejection::Invalid(unselected)) = catalog.plan_spec(&spec, accepted.org()) else {
        panic!("it is not selected");
    };
    assert_eq!(unselected[0].pointer, "/query/order_by/1/measure");
    assert_eq!(unselected[0].code, InvalidOrderBy);
    let gone = CATALOG.replace("datasets.sessions", "datasets.others");
    assert_eq!(
        faults(&gone, 9),
        told(&[("/query/dataset", UnknownDataset)])
    );
}
