//! Answers at once: an aggregate over some thousand rows, against pgbench running the very SQL that the
//! service runs for it, without the snapshot, the freshness, the JSON and the HTTP around it.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use crate::dataset;
use crate::deployment::Deployment;
use crate::figure::{Figure, Unit, percentile_ms};
use crate::fixture::Fixture;
use crate::load;
use crate::parts::Part;
use crate::pgbench;
use crate::progress;
use crate::table::Findings;

/// Rows that the aggregate reads.
const ROWS: u64 = 3_000;
const SECONDS: u64 = 5;
/// The least of pgbench's rate.
const OF_PGBENCH: f64 = 0.7;

pub(crate) async fn measure(fixture: &Fixture<'_>) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    if !fixture.parts.has(Part::Inline) {
        return Ok(findings);
    }
    let range = dataset::some(ROWS, fixture.rows);
    let request = Arc::new(dataset::aggregate_request(&range));
    let sql = sql_of(fixture, &request).await?;
    let mut deployment = Deployment::start(fixture, &fixture.discarding).await?;
    let answer = check(&deployment, fixture, &range, &request).await;
    deployment.explain(answer)?;

    let (mut theirs, mut ours) = (Rounds::default(), Rounds::default());
    // The first round warms both up and does not count.
    for round in 0..=fixture.rounds {
        let pgbench = pgbench::run(fixture, &sql, SECONDS)?;
        let (api, request) = (deployment.api.clone(), Arc::clone(&request));
        let waybill = load::run(Duration::from_secs(SECONDS), move |_| {
            let (api, request) = (api.clone(), Arc::clone(&request));
            async move { api.export_at_once(&request).await.map(drop) }
        });
        let waybill = deployment.explain(waybill.await)?;
        progress::line(format_args!(
            "round {round}: pgbench {:.0}/s, waybill at once {:.0}/s",
            pgbench.rate,
            waybill.rate()
        ));
        if round > 0 {
            theirs.add(pgbench.rate, &pgbench.latencies);
            ours.add(waybill.rate(), &waybill.latencies);
        }
    }
    let (theirs, ours) = (theirs.figures("pgbench"), ours.figures("waybill, at once"));
    for (theirs, ours) in theirs.into_iter().zip(ours) {
        let ours = ours.against(Some(&theirs));
        let ours = match ours.unit {
            Unit::PerSecond => ours.ratio_at_least(OF_PGBENCH),
            _ => ours,
        };
        findings.figures.extend([theirs, ours]);
    }
    findings.remarks.push(format!(
        "{} clients ask for an aggregate of {} rows; pgbench runs what PostgreSQL logged of such a request: {}",
        load::CLIENTS,
        dataset::count(&fixture.source, &range)?,
        sql.split_whitespace().collect::<Vec<_>>().join(" ")
    ));
    Ok(findings)
}

/// What each round gave.
#[derive(Default)]
struct Rounds {
    rates: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
}

impl Rounds {
    fn add(&mut self, rate: f64, latencies: &[Duration]) {
        self.rates.push(rate);
        self.p50.push(percentile_ms(latencies, 50));
        self.p99.push(percentile_ms(latencies, 99));
    }

    fn figures(self, who: &str) -> [Figure; 3] {
        [
            Figure::new(who, Unit::PerSecond, self.rates),
            Figure::new(format!("{who}, p50"), Unit::Milliseconds, self.p50),
            Figure::new(format!("{who}, p99"), Unit::Milliseconds, self.p99),
        ]
    }
}

/// The SELECT that the service runs for a request, as the server logs it.
pub(crate) async fn sql_of(
    fixture: &Fixture<'_>,
    request: &serde_json::Value,
) -> anyhow::Result<String> {
    let database = fixture.source.name();
    fixture.source.psql(&format!(
        "ALTER DATABASE {database} SET log_statement = 'all'"
    ));
    let mut deployment = Deployment::start(fixture, &fixture.discarding).await?;
    let answer = deployment.api.export_at_once(request).await;
    deployment.explain(answer)?;
    drop(deployment);
    fixture
        .source
        .psql(&format!("ALTER DATABASE {database} RESET log_statement"));

    let log = fs::read_to_string(fixture.cluster.log())?;
    let copied = log.rfind("COPY (").and_then(|start| {
        let copied = &log[start + "COPY (".len()..];
        copied.find(") TO STDOUT").map(|end| &copied[..end])
    });
    // The lines of a statement after its first are indented in the log.
    copied
        .map(|sql| sql.trim().replace("\n\t", "\n"))
        .context("the log of PostgreSQL has no COPY of the request")
}

/// The answer counts the rows that SQL counts, and knows the newest one.
async fn check(
    deployment: &Deployment<'_>,
    fixture: &Fixture<'_>,
    range: &dataset::Range,
    request: &serde_json::Value,
) -> anyhow::Result<()> {
    let report = deployment.api.export_at_once(request).await?;
    anyhow::ensure!(
        report.source_updated_at.is_some(),
        "no freshness, so it would cost nothing"
    );
    let mut reader = csv::Reader::from_reader(report.content.as_bytes());
    let mut counted = 0;
    for record in reader.records() {
        let record = record?;
        counted += record.get(1).context("a second column")?.parse::<u64>()?;
    }
    let rows = dataset::count(&fixture.source, range)?;
    anyhow::ensure!(
        counted == rows,
        "the answer counts {counted} rows of {rows}"
    );
    Ok(())
}
