//! Whatever a client sends is judged: planned as it was meant, or refused at members that it wrote.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use waybill_conformance::queries::{self, Asked, asked};
use waybill_report::caller::{Caller, OrgId, Role};
use waybill_report::catalog::Catalog;
use waybill_report::encode::Format;
use waybill_report::query::{
    MAX_FAULTS, MAX_FILTERS, MAX_IN_VALUES, Rejection, ReportPlan, ReportRequest, Test,
};
use waybill_report::source::{postgres, sqlite};
use waybill_report::spec::ReportSpec;

use super::mutation::{Mutation, any_json, mutations, tampered};

/// What of the catalog a client is never told.
const INTERNALS: [&str; 3] = ["belongings", "owner", "serde"];

fn catalog() -> Catalog {
    Catalog::parse(&queries::catalog()).expect("the catalog of the samples")
}

fn caller(datasets: Option<&[&str]>) -> Caller {
    Caller {
        org: OrgId::new("org_'of the caller"),
        role: Role::Viewer,
        key: None,
        datasets: datasets.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
    }
}

/// Asks with these bytes in every way in which they can be asked with.
fn judge(body: &[u8]) -> Result<(), TestCaseError> {
    let catalog = catalog();
    for read in [ReportRequest::query, ReportRequest::export] {
        let request = match read(body) {
            Ok(request) => request,
            Err(rejection) => {
                prop_assert!(serde_json::from_slice::<Value>(body).is_err());
                check_rejection(&rejection, &Value::Null, body.len())?;
                continue;
            }
        };
        for caller in [caller(None), caller(Some(&["rows"]))] {
            match catalog.plan(&request, &caller) {
                Ok(plan) => check_plan(&catalog, &plan, &caller)?,
                Err(rejection) => check_rejection(&rejection, request.document(), body.len())?,
            }
        }
    }
    Ok(())
}

fn check_rejection(
    rejection: &Rejection,
    document: &Value,
    body: usize,
) -> Result<(), TestCaseError> {
    let faults = match rejection {
        Rejection::Invalid(faults) => faults,
        Rejection::Forbidden { dataset } => {
            prop_assert_eq!(dataset, "groups");
            return Ok(());
        }
    };
    prop_assert!((1..=MAX_FAULTS + 1).contains(&faults.len()));
    let mut told = 0;
    for fault in faults {
        told += fault.pointer.len() + fault.detail.len();
        prop_assert!(
            stands_in(document, &fault.pointer),
            "{:?} is nowhere",
            fault.pointer
        );
        prop_assert!(!fault.detail.trim().is_empty());
        for internal in INTERNALS {
            prop_assert!(!fault.detail.contains(internal), "{}", fault.detail);
        }
    }
    // Of a client's own text a detail repeats 64 characters at most.
    let most = faults.len() * 1_500 + 2 * body;
    prop_assert!(told <= most, "{told} bytes of faults in {body} of a body");
    Ok(())
}

/// Whether a pointer names a member that is there, or one that is missing in an object that is there.
fn stands_in(document: &Value, pointer: &str) -> bool {
    let parent = pointer.rsplit_once('/').map(|(parent, _)| parent);
    document.pointer(pointer).is_some()
        || parent
            .and_then(|parent| document.pointer(parent))
            .is_some_and(Value::is_object)
}

fn check_plan(catalog: &Catalog, plan: &ReportPlan, caller: &Caller) -> Result<(), TestCaseError> {
    prop_assert_eq!(plan.org(), &caller.org);
    prop_assert!(plan.dataset().allows(caller));
    let text = serde_json::to_string(plan.spec()).expect("a spec is JSON");
    let stored: ReportSpec = serde_json::from_str(&text).expect("what was just written");
    prop_assert_eq!(&stored, plan.spec());
    let again = catalog.plan_spec(&stored, plan.org());
    let asked_again = json!({ "query": stored.query, "format": plan.format() }).to_string();
    let asked_again = ReportRequest::export(asked_again.as_bytes()).expect("JSON");
    let asked_again = catalog.plan(&asked_again, caller);
    for again in [again, asked_again] {
        let again = again.expect("what was accepted once");
        let on_sqlite = |plan| sqlite::statement::Statement::new(plan, 1_000, None);
        prop_assert_eq!(on_sqlite(&again), on_sqlite(plan));
        let on_postgres = |plan| postgres::statement::Statement::new(plan, 1_000);
        prop_assert_eq!(on_postgres(&again), on_postgres(plan));
    }
    Ok(())
}

/// The body of an export of a valid query.
fn body_of(query: &Value, format: Option<Format>) -> Value {
    match format {
        Some(format) => json!({ "format": format, "query": query }),
        None => json!({ "query": query }),
    }
}

fn bodies() -> impl Strategy<Value = Value> {
    let format = prop::option::of(prop::sample::select(Format::ALL));
    (asked(), format).prop_map(|(asked, format)| body_of(&asked.query, format))
}

fn mutated(mut document: Value, mutations: &[Mutation]) -> Value {
    for mutation in mutations {
        mutation.apply(&mut document);
    }
    document
}

proptest! {
    #[test]
    fn a_valid_query_is_planned_as_it_is_meant(Asked { query, tests } in asked()) {
        let catalog = catalog();
        let caller = caller(None);
        let body = body_of(&query, None).to_string();
        let plan = catalog.plan(&ReportRequest::export(body.as_bytes()).expect("JSON"), &caller);
        let plan = plan.expect("a valid query");
        let understood: Vec<(&str, Test)> = plan
            .predicates()
            .iter()
            .map(|predicate| (predicate.expression.sql.as_str(), predicate.test.clone()))
            .collect();
        let meant: Vec<(&str, Test)> = tests
            .into_iter()
            .map(|(field, test)| (field, test.in_whole_micros()))
            .collect();
        prop_assert_eq!(understood, meant);
        let mut selected: Vec<&Value> = Vec::new();
        for member in ["dimensions", "measures"] {
            selected.extend(query.get(member).and_then(Value::as_array).into_iter().flatten());
        }
        let row_count = json!("row_count");
        if query.get("measures").is_none() && plan.query().dataset == "groups" {
            selected.push(&row_count);
        }
        let columns: Vec<&str> = plan.columns().iter().map(|column| column.name.as_str()).collect();
        prop_assert_eq!(columns, selected);
        check_plan(&catalog, &plan, &caller)?;
    }

    #[test]
    fn any_bytes_are_judged(bytes in vec(any::<u8>(), 0..200)) {
        judge(&bytes)?;
    }

    #[test]
    fn any_document_is_judged(document in any_json()) {
        judge(document.to_string().as_bytes())?;
        judge(json!({ "query": document }).to_string().as_bytes())?;
    }

    #[test]
    fn a_valid_request_with_anything_changed_is_judged(body in bodies(), mutations in mutations()) {
        let body = mutated(body, &mutations);
        judge(body.to_string().as_bytes())?;
        if let Some(query) = body.get("query") {
            judge(query.to_string().as_bytes())?;
        }
    }

    #[test]
    fn a_valid_request_of_broken_text_is_judged(body in bodies().prop_flat_map(|body| tampered(body.to_string()))) {
        judge(&body)?;
    }
}

/// Large and of one kind throughout: what is answered stays within bounds.
#[test]
fn large_bodies_are_judged() {
    const SIZE: usize = 256 * 1024;
    let range = json!({ "from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z" });
    let repeated = |piece: &str| vec![piece; SIZE / (piece.len() + 1)].join(",");
    let numbered = |prefix: &str| {
        let members: Vec<String> = (0..SIZE / (prefix.len() + 12))
            .map(|number| format!("\"{prefix}{number}\":0"))
            .collect();
        members.join(",")
    };
    let member = |name: &str, value: String| {
        let query = json!({ "dataset": "rows", "dimensions": ["id"], "time_range": range });
        let open = query.to_string();
        let open = open.strip_suffix('}').expect("an object");
        format!("{{\"query\":{open},\"{name}\":{value}}}}}")
    };
    let filter = |value: &str| {
        let values = vec![value; MAX_IN_VALUES].join(",");
        let filter = format!("{{\"field\":\"s\",\"op\":\"in\",\"value\":[{values}]}}");
        vec![filter; MAX_FILTERS].join(",")
    };
    for body in [
        format!("{{{}}}", numbered("")),
        format!("{{\"options\":{{{}}}}}", numbered("")),
        member("filters", format!("[{}]", repeated("{}"))),
        member("filters", format!("[{{{}}}]", numbered("~/"))),
        member("filters", format!("[{}]", filter("1"))),
        member("filters", format!("[{}]", filter("\"\"\"\"\"\""))),
        member("filters", format!("[{}]", filter("\"'\""))),
        member("dimensions", format!("[{}]", repeated("\"\""))),
        member("limit", "9".repeat(SIZE)),
        member("limit", format!("1e{}", "9".repeat(SIZE))),
        member("limit", format!("\"{}\"", "\\u0000".repeat(SIZE / 6))),
        member("dataset", format!("\"{}\"", "\\\\".repeat(SIZE / 2))),
        member(&"~".repeat(SIZE), "null".to_owned()),
        "[".repeat(SIZE),
        "{\"query\":".repeat(SIZE / 9),
    ] {
        judge(body.as_bytes()).unwrap_or_else(|error| panic!("{error}: {body:.200}"));
    }
}
