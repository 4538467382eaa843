//! Ten times the load that fits, on the route that answers at once: what is answered must not suffer
//! from what is turned away, and who is turned away must hear of it soon.

use std::time::Duration;

use http::StatusCode;

use crate::arrivals::{self, Arrival};
use crate::dataset;
use crate::deployment::Deployment;
use crate::figure::{Figure, Unit, percentile_ms};
use crate::fixture::Fixture;
use crate::load::CLIENTS;
use crate::parts::Part;
use crate::progress;
use crate::table::Findings;
use crate::wire::Prepared;

/// Rows that the reports read: a light one, for which turning away costs about as much as answering,
/// and one that is some work.
const REPORTS: [u64; 2] = [3_000, 30_000];
/// How many times the peak arrives.
const TIMES: f64 = 10.0;
const DURATION: Duration = Duration::from_secs(5);
/// Until the load is the same at any moment; not counted.
const SETTLING: Duration = Duration::from_secs(1);
/// As by default.
const QUEUE_WAIT_MS: &str = "100";
/// The most milliseconds until somebody hears that there is no place: that wait and a little.
const MOST_429_P99: f64 = 120.0;
/// The least that is left of the peak.
const OF_PEAK: f64 = 0.9;

pub(crate) async fn measure(fixture: &Fixture<'_>) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    if !fixture.parts.has(Part::Overload) {
        return Ok(findings);
    }
    for rows in REPORTS {
        let figures = report(fixture, rows).await?;
        findings.figures.extend(figures);
    }
    findings.remarks.push(format!(
        "overload: the peak is a closed loop of {CLIENTS} clients; then {TIMES} × the peak arrives evenly for \
         {} s, whatever is answered, of which the first second does not count; a 429's time runs from \
         when it was sent, and the client's lag is from when it was due until then. The client is one \
         thread on the same processors",
        DURATION.as_secs()
    ));
    Ok(findings)
}

async fn report(fixture: &Fixture<'_>, rows: u64) -> anyhow::Result<Vec<Figure>> {
    let changes = [("INLINE__QUEUE_WAIT_MS", QUEUE_WAIT_MS)];
    let mut deployment = Deployment::with(fixture, &fixture.discarding, &changes).await?;
    let range = dataset::some(rows, fixture.rows);
    let request = dataset::aggregate_request(&range);
    let request = Prepared::post(&deployment.url, "/v1/reports/query/export", &request)?;
    let mut rounds = Vec::new();
    // The first round warms up and does not count.
    for round in 0..=fixture.rounds {
        let outcome = Round::run(&request).await;
        let outcome = deployment.explain(outcome)?;
        progress::line(format_args!(
            "round {round}: {rows} rows, peak {:.0}/s, overloaded {:.0}/s, 429 p99 {:.1} ms",
            outcome.peak, outcome.overloaded, outcome.refused_p99
        ));
        if round > 0 {
            rounds.push(outcome);
        }
    }
    let figure = |what: &str, unit, value: fn(&Round) -> f64| {
        let what = format!("waybill, at once, {rows} rows, {what}");
        Figure::new(what, unit, rounds.iter().map(value).collect())
    };
    let peak = figure("peak", Unit::PerSecond, |round| round.peak);
    let loaded = format!("200s of {TIMES} × the peak");
    let overloaded = figure(&loaded, Unit::PerSecond, |round| round.overloaded)
        .against(Some(&peak))
        .ratio_at_least(OF_PEAK);
    Ok(vec![
        peak,
        overloaded,
        figure("429, p99", Unit::Milliseconds, |round| round.refused_p99).at_most(MOST_429_P99),
        figure("200 then, p99", Unit::Milliseconds, |round| {
            round.answered_p99
        }),
        figure(
            "other statuses and broken connections",
            Unit::Number,
            |round| round.others,
        )
        .at_most(0.0),
        figure("the client's own lag, p99", Unit::Milliseconds, |round| {
            round.lag_p99
        }),
    ])
}

/// What one round gave; rates per second, times in milliseconds.
struct Round {
    peak: f64,
    overloaded: f64,
    answered_p99: f64,
    refused_p99: f64,
    others: f64,
    lag_p99: f64,
}

impl Round {
    async fn run(request: &Prepared) -> anyhow::Result<Self> {
        let (statuses, took) = arrivals::closed_loop(request.clone(), CLIENTS, DURATION).await?;
        let answered = statuses.iter().filter(|status| **status == StatusCode::OK);
        let peak = answered.count() as f64 / took.as_secs_f64();
        anyhow::ensure!(peak > 0.0, "nothing was answered");

        let rate = TIMES * peak;
        // Twice as many as wait for a slot at any moment.
        let connections = (2.0 * rate * MOST_429_P99 / 1_000.0) as usize + CLIENTS;
        let arrived = arrivals::open_loop(request.clone(), rate, DURATION, connections).await?;
        let counted = |arrival: &&Arrival| arrival.due >= SETTLING;
        let times = |status: StatusCode| -> Vec<Duration> {
            let of_status = arrived.iter().filter(counted);
            let of_status = of_status.filter(|arrival| arrival.status == Some(status));
            of_status.map(Arrival::latency).collect()
        };
        let known = [StatusCode::OK, StatusCode::TOO_MANY_REQUESTS].map(Some);
        let in_time = |arrival: &&Arrival| (SETTLING..DURATION).contains(&arrival.answered);
        let answered = arrived.iter().filter(in_time);
        let answered = answered.filter(|arrival| arrival.status == Some(StatusCode::OK));
        let lags: Vec<Duration> = arrived.iter().filter(counted).map(Arrival::lag).collect();
        Ok(Self {
            peak,
            overloaded: answered.count() as f64 / (DURATION - SETTLING).as_secs_f64(),
            answered_p99: percentile_ms(&times(StatusCode::OK), 99),
            refused_p99: percentile_ms(&times(StatusCode::TOO_MANY_REQUESTS), 99),
            others: arrived
                .iter()
                .filter(|arrival| !known.contains(&arrival.status))
                .count() as f64,
            lag_p99: percentile_ms(&lags, 99),
        })
    }
}
