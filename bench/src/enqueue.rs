//! Accepting exports: 202s per second with nobody to work on them, each committed to disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;

use crate::dataset;
use crate::deployment::Deployment;
use crate::figure::{Figure, Unit, percentile_ms};
use crate::fixture::Fixture;
use crate::load;
use crate::parts::Part;
use crate::progress;
use crate::table::Findings;

const DURATION: Duration = Duration::from_secs(5);
/// The least per second.
const LEAST: f64 = 500.0;

pub(crate) async fn measure(fixture: &Fixture<'_>) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    if !fixture.parts.has(Part::Enqueue) {
        return Ok(findings);
    }
    let (mut rates, mut p50, mut p99) = (Vec::new(), Vec::new(), Vec::new());
    let mut accepted = 0;
    for round in 1..=fixture.rounds {
        // A ledger of its own: the backlog grows from nothing in every round.
        let mut deployment = Deployment::start(fixture, &fixture.discarding).await?;
        let outcome = run(&deployment).await;
        let load = deployment.explain(outcome)?;
        progress::line(format_args!(
            "round {round}: {:.0} exports accepted a second",
            load.rate()
        ));
        rates.push(load.rate());
        p50.push(percentile_ms(&load.latencies, 50));
        p99.push(percentile_ms(&load.latencies, 99));
        accepted = load.latencies.len();
    }
    let what = "waybill, exports accepted (202)";
    findings.figures.extend([
        Figure::new(what, Unit::PerSecond, rates)
            .at_least(LEAST)
            .note(format!(
                "into a backlog that grows from 0 to some {accepted}"
            )),
        Figure::new(format!("{what}, p50"), Unit::Milliseconds, p50),
        Figure::new(format!("{what}, p99"), Unit::Milliseconds, p99),
    ]);
    Ok(findings)
}

async fn run(deployment: &Deployment<'_>) -> anyhow::Result<load::Load> {
    let api = deployment.api.clone();
    let warm = dataset::rows_request("session_rows", &dataset::all(), Some(1));
    api.enqueue(&warm).await?;

    let answers = Arc::new(AtomicU64::new(1));
    let counted = Arc::clone(&answers);
    let load = load::run(DURATION, move |number| {
        let (api, counted) = (api.clone(), Arc::clone(&counted));
        async move {
            // No two alike: an identical one may be answered with the export that is there already.
            let mut range = dataset::all();
            range.to -= TimeDelta::microseconds(i64::try_from(number)?);
            let request = dataset::rows_request("session_rows", &range, Some(10));
            api.enqueue(&request).await?;
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    })
    .await?;
    let (answered, recorded) = (
        answers.load(Ordering::Relaxed),
        deployment.exports_in_ledger()?,
    );
    anyhow::ensure!(
        answered == recorded,
        "{answered} accepted, {recorded} in the ledger"
    );
    Ok(load)
}
