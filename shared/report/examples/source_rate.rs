//! How fast the PostgreSQL source is: 2,000,000 rows of 13 mixed columns out of a throw-away server, against
//! `psql` that copies the same rows as CSV to nowhere, in turn and in the same run.
//!
//! `cargo run --release -p waybill-shared --example source_rate`

#![expect(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]

use std::hint::black_box;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use waybill_config::DatabaseUrl;
use waybill_report::caller::{Caller, OrgId, Role};
use waybill_report::catalog::Catalog;
use waybill_report::encode::{FileContext, FileFormat, Format, Trailer};
use waybill_report::query::{ReportPlan, ReportRequest};
use waybill_report::size::SizeLimits;
use waybill_report::source::postgres::statement::Statement;
use waybill_report::source::{SourceLimits, Sources, connect};
use waybill_test_services::postgres::{Cluster, Database};

const ROWS: usize = 2_000_000;
const ROUNDS: usize = 5;
/// The encoder's buffer is emptied at this size, as an upload empties it part by part.
const PART_BYTES: usize = 8 << 20;

const TABLE: &str = "
CREATE TABLE sessions AS
SELECT 'org_demo'::text AS org_id, md5(n::text)::uuid AS session_id,
  (ARRAY['completed', 'failed', 'running', 'cancelled'])[1 + n % 4] AS status,
  'agent-' || n % 17 AS agent, 'model-' || n % 5 AS model,
  '2026-04-24'::timestamptz + n * interval '1.2345 seconds' AS started_at,
  CASE WHEN n % 20 > 0 THEN '2026-04-24'::timestamptz + n * interval '1.2345 seconds' + interval '5 minutes' END AS finished_at,
  CASE WHEN n % 20 > 0 THEN n % 100000 END AS duration_ms,
  n % 30000 AS input_tokens, n % 7000 AS output_tokens,
  (n % 1000000 / 10000.0)::numeric(12,6) AS cost, n % 3 = 0 AS ok, n / 7.0::float8 AS score,
  CASE WHEN n % 10 > 0 THEN 'Title of the session, number ' || n END AS title
FROM generate_series(1, 2000000) AS n;
ANALYZE sessions";

const CATALOG: &str = r#"
[datasets.sessions]
table = "sessions"
grain = "row"
tenant = "org_id"
time = "started_at"
[datasets.sessions.dimensions]
session_id = { sql = "session_id", type = "uuid" }
status = { sql = "status", type = "string" }
agent = { sql = "agent", type = "string" }
model = { sql = "model", type = "string" }
started_at = { sql = "started_at", type = "timestamp" }
finished_at = { sql = "finished_at", type = "timestamp" }
duration_ms = { sql = "duration_ms", type = "integer" }
input_tokens = { sql = "input_tokens", type = "integer" }
output_tokens = { sql = "output_tokens", type = "integer" }
cost = { sql = "cost", type = "decimal" }
ok = { sql = "ok", type = "boolean" }
score = { sql = "score", type = "float" }
title = { sql = "title", type = "string" }
"#;

#[tokio::main]
async fn main() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    database.psql(TABLE);
    let plan = plan();
    let url = DatabaseUrl::try_from(database.url()).expect("a server's URL");
    let limits = SourceLimits {
        statement_timeout: Duration::ZERO,
        connections: 2,
    };
    let mut sources = Sources::default();
    sources.add("default", connect(&url, limits).expect("a source"));

    let mut best = [f64::MAX; 3];
    for _ in 0..ROUNDS {
        let psql = psql(cluster, &database, &plan);
        let decoded = read(&sources, &plan, false).await;
        let encoded = read(&sources, &plan, true).await;
        for (best, seconds) in best.iter_mut().zip([psql, decoded, encoded]) {
            *best = best.min(seconds);
        }
    }
    println!(
        "{ROWS} rows x {} columns; best of {ROUNDS} rounds",
        plan.columns().len()
    );
    for (name, seconds) in ["psql COPY csv", "decoded", "decoded, encoded"]
        .iter()
        .zip(best)
    {
        println!("{name:18} {seconds:.3} s  ratio {:.2}", seconds / best[0]);
    }
}

fn plan() -> ReportPlan {
    let catalog = Catalog::parse(CATALOG).expect("a catalog");
    let dataset = catalog.dataset("sessions").expect("the dataset");
    let columns: Vec<&str> = dataset
        .dimensions
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    let body = json!({ "query": {
        "dataset": "sessions", "dimensions": columns, "limit": null,
        "time_range": { "from": "2026-04-24T00:00:00Z", "to": "2027-04-24T00:00:00Z" },
    } });
    let request = ReportRequest::export(body.to_string().as_bytes()).expect("a request");
    let caller = Caller {
        org: OrgId::new("org_demo"),
        role: Role::Admin,
        key: None,
        datasets: None,
    };
    catalog.plan(&request, &caller).expect("a plan")
}

fn psql(cluster: &Cluster, database: &Database<'_>, plan: &ReportPlan) -> f64 {
    let statement = Statement::new(plan, u64::MAX);
    let copy = format!("COPY ({}) TO STDOUT (FORMAT csv)", statement.report());
    let start = Instant::now();
    let status = Command::new(cluster.programs().join("psql"))
        .args([
            "--no-psqlrc",
            "--dbname",
            &database.url(),
            "--command",
            &copy,
        ])
        .stdout(Stdio::null())
        .status();
    assert!(status.expect("psql can be started").success());
    start.elapsed().as_secs_f64()
}

async fn read(sources: &Sources, plan: &ReportPlan, encode: bool) -> f64 {
    let start = Instant::now();
    let snapshot = sources
        .open(
            plan,
            u64::MAX,
            SizeLimits::of_export(8 << 20),
            Duration::ZERO,
        )
        .await;
    let mut snapshot = snapshot.expect("a snapshot");
    let mut encoder = FileFormat::from(Format::Csv).encoder(&FileContext {
        columns: plan.columns(),
        as_of: snapshot.materialized_at,
        formula_guard: true,
    });
    let (mut out, mut rows) = (Vec::new(), 0);
    encoder.begin(&mut out);
    while let Some(batch) = snapshot.next().await {
        let batch = batch.expect("a batch");
        rows += batch.num_rows();
        if encode {
            encoder.write(&batch, &mut out).expect("the batch fits");
        }
        if out.len() >= PART_BYTES {
            black_box(&out);
            out.clear();
        }
    }
    let trailer = Trailer {
        limit_reached: false,
        freshness_lag_ms: None,
    };
    encoder.finish(&trailer, &mut out).expect("an end");
    black_box(&out);
    assert_eq!(rows, ROWS);
    start.elapsed().as_secs_f64()
}
