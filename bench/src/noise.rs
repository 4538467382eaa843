//! The noise of one organisation: two dozen connections of one key, each sending one large body after the
//! other, beside the small reports of another organisation.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::dataset;
use crate::deployment::Deployment;
use crate::figure::{Figure, Unit, percentile_ms};
use crate::fixture::Fixture;
use crate::parts::Part;
use crate::progress;
use crate::table::Findings;
use crate::wire::{Prepared, on_one_thread};

/// Connections of the organisation that makes the noise.
const NOISY: usize = 24;
/// Filters of its query and values of each: a body of some 690 KB.
const FILTERS: usize = 15;
const VALUES: usize = 1_000;
const VALUE_BYTES: usize = 43;
/// Rows that the other organisation's report reads.
const ROWS: u64 = 3_000;
const DURATION: Duration = Duration::from_secs(5);
/// As by default.
const QUEUE_WAIT_MS: &str = "100";
/// The most milliseconds that the other organisation waits at p50.
const MOST_P50: f64 = 100.0;

pub(crate) async fn measure(fixture: &Fixture<'_>) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    if !fixture.parts.has(Part::Noise) {
        return Ok(findings);
    }
    let changes = [
        ("INLINE__QUEUE_WAIT_MS", QUEUE_WAIT_MS),
        ("AUTH__MODE", "keys"),
    ];
    let mut deployment = Deployment::with(fixture, &fixture.discarding, &changes).await?;
    let outcome = requests(fixture, &deployment);
    let (quiet, noisy) = deployment.explain(outcome)?;
    let mut rounds = Vec::new();
    // The first round warms up and does not count.
    for round in 0..=fixture.rounds {
        let outcome = Round::run(&quiet, &noisy).await;
        let outcome = deployment.explain(outcome)?;
        progress::line(format_args!(
            "round {round}: alone p50 {:.1} ms, beside {:.0} large bodies/s p50 {:.1} ms, {} refused",
            outcome.alone_p50, outcome.noise, outcome.p50, outcome.refused
        ));
        if round > 0 {
            rounds.push(outcome);
        }
    }
    let figure = |what: &str, unit, value: fn(&Round) -> f64| {
        let what = format!("another's noise, {what}");
        Figure::new(what, unit, rounds.iter().map(value).collect())
    };
    let alone = figure("a report without it, p50", Unit::Milliseconds, |round| {
        round.alone_p50
    });
    let beside = figure("a report, p50", Unit::Milliseconds, |round| round.p50);
    findings.figures.extend([
        beside.against(Some(&alone)).at_most(MOST_P50),
        figure("a report, p99", Unit::Milliseconds, |round| round.p99),
        figure("429s", Unit::Number, |round| round.refused).at_most(0.0),
        figure("large bodies", Unit::PerSecond, |round| round.noise),
        alone,
    ]);
    findings.remarks.push(format!(
        "noise: {NOISY} connections of one organisation send bodies of {} KB for {} s, each after the answer to \
         the one before; another organisation asks on one connection for reports of {ROWS} rows at once. The \
         client shares the processors",
        FILTERS * VALUES * (VALUE_BYTES + 3) / 1_000,
        DURATION.as_secs()
    ));
    Ok(findings)
}

fn requests(
    fixture: &Fixture<'_>,
    deployment: &Deployment<'_>,
) -> anyhow::Result<(Prepared, Prepared)> {
    const PATH: &str = "/v1/reports/query/export";
    let report = dataset::aggregate_request(&dataset::some(ROWS, fixture.rows));
    let quiet =
        Prepared::post(&deployment.url, PATH, &report)?.key(&deployment.key(dataset::ORG)?)?;
    let mut large = report;
    large["query"]["filters"] = large_filters();
    let noisy =
        Prepared::post(&deployment.url, PATH, &large)?.key(&deployment.key("org_noisy")?)?;
    Ok((quiet, noisy))
}

fn large_filters() -> Value {
    let values: Vec<String> = (0..VALUES)
        .map(|number| format!("{number:0VALUE_BYTES$}"))
        .collect();
    let filter = json!({"field": "status", "op": "in", "value": values});
    vec![filter; FILTERS].into()
}

/// What one round gave; times in milliseconds.
struct Round {
    alone_p50: f64,
    p50: f64,
    p99: f64,
    refused: f64,
    /// Large bodies that were answered, per second.
    noise: f64,
}

impl Round {
    async fn run(quiet: &Prepared, noisy: &Prepared) -> anyhow::Result<Self> {
        let (alone, _) = asked(quiet.clone(), 1).await?;
        let (beside, noise) = tokio::join!(asked(quiet.clone(), 1), asked(noisy.clone(), NOISY));
        let ((times, refused), (answers, turned_away)) = (beside?, noise?);
        Ok(Self {
            alone_p50: percentile_ms(&alone, 50),
            p50: percentile_ms(&times, 50),
            p99: percentile_ms(&times, 99),
            refused: refused as f64,
            noise: (answers.len() + turned_away) as f64 / DURATION.as_secs_f64(),
        })
    }
}

/// Asks again and again on so many connections; returns how long each 200 took, and how many 429s came.
async fn asked(request: Prepared, connections: usize) -> anyhow::Result<(Vec<Duration>, usize)> {
    on_one_thread(move || async move {
        let mut clients = JoinSet::new();
        for _ in 0..connections {
            clients.spawn(ask_on(request.clone()));
        }
        let (mut times, mut refused) = (Vec::new(), 0);
        while let Some(client) = clients.join_next().await {
            let (own, turned_away) = client??;
            times.extend(own);
            refused += turned_away;
        }
        Ok((times, refused))
    })
    .await
}

async fn ask_on(request: Prepared) -> anyhow::Result<(Vec<Duration>, usize)> {
    let mut connection = request.connect().await?;
    let (mut times, mut refused) = (Vec::new(), 0);
    let began = Instant::now();
    while began.elapsed() < DURATION {
        let sent = Instant::now();
        let answer = connection.send(&request).await?;
        match answer.status {
            StatusCode::OK => times.push(sent.elapsed()),
            StatusCode::TOO_MANY_REQUESTS => refused += 1,
            status => anyhow::bail!("{status}: {}", String::from_utf8_lossy(&answer.body)),
        }
    }
    Ok((times, refused))
}
