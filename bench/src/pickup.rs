//! Pick-up: how long an idle worker takes from an export's creation to its start.

use std::time::Duration;

use anyhow::Context as _;

use crate::dataset;
use crate::deployment::Deployment;
use crate::figure::{Figure, Unit, percentile_ms};
use crate::fixture::Fixture;
use crate::parts::Part;
use crate::progress;
use crate::table::Findings;

const EXPORTS: u32 = 100;
/// The most milliseconds of half of them.
const MOST_P50: f64 = 50.0;

pub(crate) async fn measure(fixture: &Fixture<'_>) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    if !fixture.parts.has(Part::Pickup) {
        return Ok(findings);
    }
    let mut deployment = Deployment::start(fixture, &fixture.discarding).await?;
    deployment.start_worker()?;
    deployment.warm_up().await?;
    let outcome = run(&deployment).await;
    let pickups = deployment.explain(outcome)?;
    let figure = |name: &str, percent| {
        let what = format!("waybill, pick-up by an idle worker, {name}");
        Figure::new(
            what,
            Unit::Milliseconds,
            vec![percentile_ms(&pickups, percent)],
        )
    };
    let (p50, p99) = (figure("p50", 50).at_most(MOST_P50), figure("p99", 99));
    progress::line(format_args!(
        "pick-up: p50 {:.1} ms, p99 {:.1} ms",
        p50.median, p99.median
    ));
    findings.figures.extend([p50, p99]);
    findings.remarks.push(format!(
        "pick-up is started_at − created_at of {EXPORTS} small exports, one after the other"
    ));
    Ok(findings)
}

async fn run(deployment: &Deployment<'_>) -> anyhow::Result<Vec<Duration>> {
    let request = dataset::rows_request("session_rows", &dataset::all(), Some(10));
    let mut pickups = Vec::new();
    for number in 0..EXPORTS {
        let accepted = deployment.api.enqueue(&request).await?;
        let export = deployment.api.completed(&accepted.id).await?;
        let started_at = export.started_at.context("completed without started_at")?;
        pickups.push((started_at - export.created_at).to_std()?);
        // Pauses of different lengths, so that no clock of the worker's keeps step with them.
        tokio::time::sleep(Duration::from_millis(u64::from(37 * number % 211))).await;
    }
    Ok(pickups)
}
