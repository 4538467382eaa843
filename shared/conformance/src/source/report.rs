//! A report of a source under test, from its query to its file.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use waybill_report::caller::{Caller, OrgId, Role};
use waybill_report::catalog::Catalog;
use waybill_report::encode::{FileContext, FileFormat, Format, Trailer};
use waybill_report::query::{ReportPlan, ReportRequest};
use waybill_report::size::SizeLimits;
use waybill_report::source::{Snapshot, Source, SourceError, Sources};

use super::backend::Backend;

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

pub(super) const ALL: [&str; 9] = ["s", "i", "f", "d", "b", "at", "day", "u", "j"];

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

pub(super) fn plan(query: Value) -> ReportPlan {
    plan_of(CATALOG, "a", query)
}

/// What a cell may have in these tests.
pub(super) const MAX_CELL_BYTES: usize = 1 << 20;

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
    let mut encoder = FileFormat::from(Format::Csv).encoder(&FileContext {
        columns: plan.columns(),
        as_of: snapshot.materialized_at,
        formula_guard: true,
    });
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
    encoder.finish(&trailer, &mut file).expect("an end");
    Ok(String::from_utf8(file).expect("UTF-8"))
}

pub(super) async fn csv(backend: &impl Backend, query: Value) -> String {
    let file = file(&sources(backend.source()), &plan(query)).await;
    file.expect("a report")
}

/// The integers that a query selects, in their order.
pub(super) async fn integers(backend: &impl Backend, mut query: Value) -> Vec<i64> {
    query["dataset"] = "things".into();
    query["dimensions"] = json!(["i"]);
    let csv = csv(backend, query).await;
    let cells = csv.lines().skip(1);
    cells
        .map(|cell| cell.parse().expect("an integer"))
        .collect()
}

pub(super) async fn rows(mut snapshot: Snapshot) -> Result<usize, SourceError> {
    let mut rows = 0;
    while let Some(batch) = snapshot.next().await {
        rows += batch?.num_rows();
    }
    Ok(rows)
}
