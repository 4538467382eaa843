//! One organisation's wait behind another's flood: from its 202 until a worker begins. And what the
//! choice of the next export costs when many wait.

use std::time::Duration;

use anyhow::Context as _;

use crate::api::Api;
use crate::claims;
use crate::dataset::{self, PACED_MS};
use crate::deployment::Deployment;
use crate::figure::{Figure, Unit, percentile_ms};
use crate::fixture::Fixture;
use crate::parts::Part;
use crate::progress;
use crate::table::Findings;

/// Exports of the flood.
const FLOOD: u64 = 500;
/// Exports of the other organisation, one after the other: it has no other one each time.
const EXPORTS: u64 = 20;
/// Slots of the worker, as by default.
const SLOTS: u64 = 4;
/// What a pick-up may take beside the job that runs.
const PICKUP_MS: f64 = 100.0;

pub(crate) async fn measure(fixture: &Fixture<'_>) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    if !fixture.parts.has(Part::Fairness) {
        return Ok(findings);
    }
    let (mut quiet, mut flooded, mut longest) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=fixture.rounds {
        let keys = [("AUTH__MODE", "keys")];
        let mut deployment = Deployment::with(fixture, &fixture.discarding, &keys).await?;
        deployment.start_worker()?;
        let outcome = run(&deployment).await;
        let waits = deployment.explain(outcome)?;
        quiet.push(percentile_ms(&waits.quiet, 50));
        flooded.push(percentile_ms(&waits.flooded, 50));
        longest.push(percentile_ms(&waits.flooded, 100));
        progress::line(format_args!(
            "round {round}: B waits {:.0} ms, behind A's flood {:.0} ms, {:.0} ms at most",
            percentile_ms(&waits.quiet, 50),
            percentile_ms(&waits.flooded, 50),
            percentile_ms(&waits.flooded, 100)
        ));
    }
    let figure = |what: &str, values| {
        Figure::new(
            format!("B's first export waits, {what}"),
            Unit::Milliseconds,
            values,
        )
    };
    let quiet = figure("p50", quiet);
    let behind = figure("behind A's flood, p50", flooded).against(Some(&quiet));
    let longest = figure("behind A's flood, longest", longest).at_most(PACED_MS + PICKUP_MS);
    findings.figures.extend([quiet, behind, longest]);
    findings.figures.extend(claims::measure(fixture).await?);
    findings.remarks.push(format!(
        "fairness: A has {FLOOD} exports queued of {PACED_MS} ms each, one worker has {SLOTS} slots; B asks for \
         {EXPORTS} exports, each when the one before has completed; its wait is started_at − created_at. The \
         target is one job that runs, and {PICKUP_MS} ms"
    ));
    findings.remarks.push(claims::EXPLAINED.to_owned());
    Ok(findings)
}

/// How long B's exports waited.
struct Waits {
    quiet: Vec<Duration>,
    flooded: Vec<Duration>,
}

async fn run(deployment: &Deployment<'_>) -> anyhow::Result<Waits> {
    let client = |org| Api::with_key(&deployment.url, &deployment.key(org)?);
    let (a, b) = (client("org_a")?, client("org_b")?);
    // The first one opens connections.
    waits(&b, 1).await?;
    let quiet = waits(&b, EXPORTS).await?;
    for number in 0..FLOOD {
        a.enqueue(&dataset::paced_request(number)).await?;
    }
    deployment.are_running(SLOTS).await?;
    let flooded = waits(&b, EXPORTS).await?;
    let left = deployment.exports_of("queued")?;
    anyhow::ensure!(left > 0, "the flood was over too soon");
    Ok(Waits { quiet, flooded })
}

/// Has exports made one after the other.
async fn waits(api: &Api, exports: u64) -> anyhow::Result<Vec<Duration>> {
    let mut waits = Vec::new();
    for number in 0..exports {
        let accepted = api.enqueue(&dataset::paced_request(number)).await?;
        let export = api.completed(&accepted.id).await?;
        let started_at = export.started_at.context("completed without started_at")?;
        waits.push((started_at - export.created_at).to_std()?);
        // Pauses of different lengths, or it would keep step with the slots.
        tokio::time::sleep(Duration::from_millis(157 * number % 400)).await;
    }
    Ok(waits)
}
