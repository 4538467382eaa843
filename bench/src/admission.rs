//! What a key costs: the same requests to two services at the same time, one of which asks for keys and
//! limits what each may ask for, and one of which answers everyone.
//!
//! One client, one request at a time, now here and now there, so that whatever else happens on the
//! machine happens to both.

use std::time::{Duration, Instant};

use http::StatusCode;

use crate::dataset;
use crate::deployment::Deployment;
use crate::figure::{Figure, Unit, percentile_ms};
use crate::fixture::Fixture;
use crate::parts::Part;
use crate::progress;
use crate::table::Findings;
use crate::wire::{Prepared, on_one_thread};

/// Rows that the report reads.
const ROWS: u64 = 3_000;
/// The most microseconds at p50.
const MOST: f64 = 300.0;

/// What is asked, how often in a round.
struct Route {
    name: &'static str,
    pairs: usize,
    open: Prepared,
    locked: Prepared,
    /// Of each round, in microseconds: without keys, with keys.
    p50: Vec<(f64, f64)>,
}

pub(crate) async fn measure(fixture: &Fixture<'_>) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    if !fixture.parts.has(Part::Admission) {
        return Ok(findings);
    }
    let mut open = Deployment::start(fixture, &fixture.discarding).await?;
    let keys = [("AUTH__MODE", "keys")];
    let mut locked = Deployment::with(fixture, &fixture.discarding, &keys).await?;
    let key = locked.key(dataset::ORG)?;
    let outcome = compare(fixture, &open, &locked, &key).await;
    let outcome = open.explain(outcome);
    for route in locked.explain(outcome)? {
        findings.figures.extend(route.figures());
    }
    findings.remarks.push(
        "admission: one client asks a service without keys and one with keys and limits in turn; the cost is the \
         difference of the two p50 of a round"
            .to_owned(),
    );
    Ok(findings)
}

async fn compare(
    fixture: &Fixture<'_>,
    open: &Deployment<'_>,
    locked: &Deployment<'_>,
    key: &str,
) -> anyhow::Result<Vec<Route>> {
    let catalog = |url: &str| Prepared::get(url, "/v1/reports/catalog");
    let report = dataset::aggregate_request(&dataset::some(ROWS, fixture.rows));
    let at_once = |url: &str| Prepared::post(url, "/v1/reports/query/export", &report);
    let mut routes = [
        Route {
            name: "catalog",
            pairs: 4_000,
            open: catalog(&open.url)?,
            locked: catalog(&locked.url)?.key(key)?,
            p50: Vec::new(),
        },
        Route {
            name: "report at once",
            pairs: 1_000,
            open: at_once(&open.url)?,
            locked: at_once(&locked.url)?.key(key)?,
            p50: Vec::new(),
        },
    ];
    // The first round warms up and does not count.
    for round in 0..=fixture.rounds {
        for route in &mut routes {
            let (without, with) = route.run().await?;
            progress::line(format_args!(
                "round {round}: {}, {without:.0} µs without keys, {with:.0} µs with keys",
                route.name
            ));
            if round > 0 {
                route.p50.push((without, with));
            }
        }
    }
    Ok(routes.into())
}

impl Route {
    /// The p50 of both, in microseconds.
    async fn run(&self) -> anyhow::Result<(f64, f64)> {
        let both = [self.open.clone(), self.locked.clone()];
        let pairs = self.pairs;
        let [open, locked] = on_one_thread(move || async move {
            let [open, locked] = &both;
            let mut connections = [open.connect().await?, locked.connect().await?];
            let mut times = [Vec::new(), Vec::new()];
            for _ in 0..pairs {
                for ((request, connection), times) in
                    both.iter().zip(&mut connections).zip(&mut times)
                {
                    let sent = Instant::now();
                    let answer = connection.send(request).await?;
                    times.push(sent.elapsed());
                    anyhow::ensure!(answer.status == StatusCode::OK, "{answer:?}");
                }
            }
            anyhow::Ok(times)
        })
        .await?;
        Ok((p50_micros(&open), p50_micros(&locked)))
    }

    fn figures(self) -> [Figure; 3] {
        let figure = |what: &str, value: fn(&(f64, f64)) -> f64| {
            let what = format!("{}, {what}", self.name);
            Figure::new(
                what,
                Unit::Microseconds,
                self.p50.iter().map(value).collect(),
            )
        };
        let open = figure("p50 without keys", |(open, _)| *open);
        let locked = figure("p50 with keys and limits", |(_, locked)| *locked).against(Some(&open));
        let cost = figure("cost of the key", |(open, locked)| locked - open).at_most(MOST);
        [open, locked, cost]
    }
}

fn p50_micros(times: &[Duration]) -> f64 {
    percentile_ms(times, 50) * 1_000.0
}
