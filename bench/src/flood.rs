//! A flooded backlog: many more exports than the queue takes, from clients that come back exactly when
//! they are told to. Every accepted one has to complete, and what was promised is held against what came.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use tokio::task::JoinSet;

use crate::api::{Api, Asked, Refusal};
use crate::dataset;
use crate::deployment::Deployment;
use crate::figure::{Figure, Unit, median};
use crate::fixture::Fixture;
use crate::parts::Part;
use crate::progress;
use crate::table::Findings;

const CLIENTS: u64 = 300;
/// Exports that may wait.
const MAX_QUEUED: u64 = 20;
/// What is drained before the flood: a service that has claimed nothing lately knows no rate.
const DRAINED_BEFORE: u64 = 80;
/// The least percent of refused clients that get in when they come back for the first time.
const AT_FIRST_RETRY: f64 = 80.0;
/// The most percent by which half of the promises are wrong.
const MEDIAN_ERROR: f64 = 30.0;

pub(crate) async fn measure(fixture: &Fixture<'_>) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    if !fixture.parts.has(Part::Flood) {
        return Ok(findings);
    }
    let max_queued = MAX_QUEUED.to_string();
    let changes = [("EXPORTS__MAX_QUEUED", max_queued.as_str())];
    let (mut first_retries, mut errors, mut refusals) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=fixture.rounds {
        let mut deployment = Deployment::with(fixture, &fixture.discarding, &changes).await?;
        deployment.start_worker()?;
        deployment.warm_up().await?;
        let outcome = run(&deployment).await;
        let flood = deployment.explain(outcome)?;
        progress::line(format_args!(
            "round {round}: {} of {CLIENTS} refused, {:.0} % of them in at the first retry, median error {:.0} %",
            flood.refused, flood.at_first_retry, flood.median_error
        ));
        first_retries.push(flood.at_first_retry);
        errors.push(flood.median_error);
        refusals.push(flood.refused as f64);
    }
    findings.figures.extend([
        Figure::new("flooded queue, clients refused", Unit::Number, refusals),
        Figure::new(
            "of these, in at the first retry",
            Unit::Percent,
            first_retries,
        )
        .at_least(AT_FIRST_RETRY),
        Figure::new("the promise's median error", Unit::Percent, errors).at_most(MEDIAN_ERROR),
    ]);
    findings.remarks.push(format!(
        "flood: {CLIENTS} clients ask at once for an export of 0.4 s each, of which {MAX_QUEUED} may wait and 4 run; \
         each comes back after retry_after_seconds until it is in, and every 202 completed. The k-th client \
         that is refused is due the place that the k-th export after the first refusal leaves when it is taken \
         from the queue; a promise's error is |promised − time until then| / promised, of first refusals. The \
         promise has whole seconds and a jitter of up to max(2 s, 10 %)"
    ));
    Ok(findings)
}

/// What came of one flood.
struct Flood {
    refused: usize,
    at_first_retry: f64,
    median_error: f64,
}

/// One client's way in.
struct Way {
    id: String,
    /// Its refusals: when, and seconds promised.
    refusals: Vec<(DateTime<Utc>, u64)>,
}

async fn run(deployment: &Deployment<'_>) -> anyhow::Result<Flood> {
    let before = drain_some(deployment).await?;
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(get_in(deployment.api.clone(), before + number));
    }
    let mut ways = Vec::new();
    while let Some(way) = clients.join_next().await {
        ways.push(way??);
    }
    let ids: BTreeSet<&str> = ways.iter().map(|way| way.id.as_str()).collect();
    anyhow::ensure!(ids.len() == ways.len(), "two clients have one export");
    for id in ids {
        let export = deployment.api.completed(id).await?;
        anyhow::ensure!(export.row_count == Some(1), "{export:?}");
    }

    let refused: Vec<&Way> = ways.iter().filter(|way| !way.refusals.is_empty()).collect();
    anyhow::ensure!(!refused.is_empty(), "nobody was refused");
    let at_once = refused.iter().filter(|way| way.refusals.len() == 1);
    let at_first_retry = 100.0 * at_once.count() as f64 / refused.len() as f64;
    Ok(Flood {
        refused: refused.len(),
        at_first_retry,
        median_error: median_error(deployment, &refused)?,
    })
}

/// Has some exports made, without ever asking for more than may wait. Returns how many.
async fn drain_some(deployment: &Deployment<'_>) -> anyhow::Result<u64> {
    let mut made = 0;
    while made < DRAINED_BEFORE {
        let room = (MAX_QUEUED - 2).saturating_sub(deployment.exports_of("queued")?);
        for _ in 0..room {
            deployment
                .api
                .enqueue(&dataset::paced_request(made))
                .await?;
            made += 1;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(made)
}

/// Asks until it is accepted, as it is told to.
async fn get_in(api: Api, number: u64) -> anyhow::Result<Way> {
    let request = dataset::paced_request(number);
    let mut refusals = Vec::new();
    loop {
        match api.try_enqueue(&request).await? {
            Asked::Accepted(export) => {
                return Ok(Way {
                    id: export.id,
                    refusals,
                });
            }
            Asked::Refused(Refusal {
                code,
                retry_after_seconds,
            }) => {
                anyhow::ensure!(code == "queue_full", "a 429 {code}");
                refusals.push((Utc::now(), retry_after_seconds));
                tokio::time::sleep(Duration::from_secs(retry_after_seconds)).await;
            }
        }
    }
}

/// See the remark that explains it. In percent.
fn median_error(deployment: &Deployment<'_>, refused: &[&Way]) -> anyhow::Result<f64> {
    let mut promises: Vec<(DateTime<Utc>, u64)> = refused
        .iter()
        .filter_map(|way| way.refusals.first().copied())
        .collect();
    promises.sort_unstable();
    let (begin, _) = promises.first().context("a refusal")?;
    let claimed = claims_since(deployment, *begin)?;
    // The last ones are due a place that nothing had to leave.
    let due = promises.iter().zip(&claimed);
    let errors: Vec<f64> = due
        .map(|((refused_at, promised), free_at)| {
            let waited = (*free_at - *refused_at).as_seconds_f64().max(0.0);
            let promised = *promised as f64;
            100.0 * (promised - waited).abs() / promised
        })
        .collect();
    Ok(median(&errors))
}

/// When exports were taken from the queue, in order.
fn claims_since(
    deployment: &Deployment<'_>,
    begin: DateTime<Utc>,
) -> anyhow::Result<Vec<DateTime<Utc>>> {
    let instants = deployment.ledger().psql(&format!(
        "SELECT to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')
         FROM waybill.exports WHERE started_at >= '{}' ORDER BY started_at",
        begin.to_rfc3339()
    ));
    let instants = instants.lines().map(str::parse);
    Ok(instants.collect::<Result<_, _>>()?)
}
