//! A thousand clients that poll exports with `Prefer: wait=30`: what they cost the process that answers,
//! and whether each hears of its export's end in time.

use std::time::{Duration, Instant};

use anyhow::bail;
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::dataset;
use crate::deployment::Deployment;
use crate::figure::{Figure, Unit, percentile_ms};
use crate::fixture::Fixture;
use crate::parts::Part;
use crate::progress;
use crate::table::Findings;
use crate::wire::{Prepared, on_one_thread};

const CLIENTS: usize = 1_000;
/// Exports that run at the same time; each is followed by as many clients as the others.
const RUNNING: u64 = 50;
/// Over which the clients begin, so that their polls are not all renewed at once.
const BEGINNING: Duration = Duration::from_secs(15);
/// The most percent of one core.
const MOST_CPU: f64 = 10.0;
/// From here on an end was missed: neither a hint nor the look a second later told of it.
const MISSED: Duration = Duration::from_secs(3);

pub(crate) async fn measure(fixture: &Fixture<'_>) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    if !fixture.parts.has(Part::Waiting) {
        return Ok(findings);
    }
    let concurrency = RUNNING.to_string();
    let changes = [
        ("WORKER__CONCURRENCY", concurrency.as_str()),
        ("WORKER__SMALL_SLOTS", "0"),
    ];
    let (mut followed, mut drained) = (Vec::new(), Vec::new());
    // A round takes a minute.
    for round in 1..=fixture.rounds.div_ceil(2) {
        let mut deployment = Deployment::with(fixture, &fixture.discarding, &changes).await?;
        let outcome = running(&mut deployment).await;
        followed.push(deployment.explain(outcome)?);
        let outcome = queued(&mut deployment).await;
        drained.push(deployment.explain(outcome)?);
        for (what, outcomes) in [("running", &followed), ("queued", &drained)] {
            if let Some(last) = outcomes.last() {
                progress::line(format_args!(
                    "round {round}: {CLIENTS} clients of {what} exports: {:.1} % of a core, end heard after {:.0} ms (p99)",
                    last.cpu,
                    percentile_ms(&last.delays, 99)
                ));
            }
        }
    }
    let figure = |what: &str, unit, rounds: &[Followed], value: fn(&Followed) -> f64| {
        let what = format!("{CLIENTS} waiting clients, {what}");
        Figure::new(what, unit, rounds.iter().map(value).collect())
    };
    let p99 = |followed: &Followed| percentile_ms(&followed.delays, 99);
    findings.figures.extend([
        figure(
            "API's processor time, share of a core",
            Unit::Percent,
            &followed,
            |round| round.cpu,
        )
        .at_most(MOST_CPU),
        figure("end heard after, p99", Unit::Milliseconds, &followed, p99),
        figure("missed ends", Unit::Number, &followed, Followed::missed).at_most(0.0),
        figure(
            "each its own export, end heard after, p99",
            Unit::Milliseconds,
            &drained,
            p99,
        ),
        figure(
            "each its own export, missed ends",
            Unit::Number,
            &drained,
            Followed::missed,
        )
        .at_most(0.0),
        figure(
            "each its own export, requests of the API",
            Unit::PerSecond,
            &drained,
            |round| round.polls as f64 / round.elapsed.as_secs_f64(),
        ),
    ]);
    let share = CLIENTS as u64 / RUNNING;
    findings.remarks.push(format!(
        "waiting: {RUNNING} exports run for 40 s and report progress every 4 s, {share} clients poll each of them \
         with wait=30 until it has completed; the processor time is that of the API process from before the first \
         client connects until the last has heard of the end. Then {CLIENTS} queued exports of 0.4 s, one a client, \
         are made by {RUNNING} slots. An end is missed that is heard {} s after completed_at or later",
        MISSED.as_secs()
    ));
    Ok(findings)
}

/// What came of so many clients.
struct Followed {
    /// Percent of one core.
    cpu: f64,
    elapsed: Duration,
    /// From an export's end until its client had heard of it.
    delays: Vec<Duration>,
    /// Requests of all of them.
    polls: usize,
}

impl Followed {
    fn missed(&self) -> f64 {
        self.delays.iter().filter(|delay| **delay >= MISSED).count() as f64
    }
}

/// Clients of exports that run.
async fn running(deployment: &mut Deployment<'_>) -> anyhow::Result<Followed> {
    deployment.start_worker()?;
    deployment.warm_up().await?;
    let mut ids = Vec::new();
    for number in 0..RUNNING {
        let accepted = deployment
            .api
            .enqueue(&dataset::long_request(number))
            .await?;
        ids.push(accepted.id);
    }
    deployment.are_running(RUNNING).await?;
    let followed = start_following(deployment, &ids)?;
    followed.end(deployment).await
}

/// Clients of exports that wait, until a worker comes.
async fn queued(deployment: &mut Deployment<'_>) -> anyhow::Result<Followed> {
    deployment.end_worker();
    let mut ids = Vec::new();
    for number in 0..CLIENTS as u64 {
        let accepted = deployment
            .api
            .enqueue(&dataset::paced_request(number))
            .await?;
        ids.push(accepted.id);
    }
    let followed = start_following(deployment, &ids)?;
    tokio::time::sleep(BEGINNING).await;
    deployment.start_worker()?;
    followed.end(deployment).await
}

/// Clients on their way.
struct Following {
    clients: tokio::task::JoinHandle<anyhow::Result<Vec<Heard>>>,
    cpu_before: f64,
    started: Instant,
}

/// What one client heard.
#[derive(Clone, Copy)]
struct Heard {
    delay: Duration,
    polls: usize,
}

/// Has [`CLIENTS`] follow these exports in turn.
fn start_following(deployment: &Deployment<'_>, ids: &[String]) -> anyhow::Result<Following> {
    let mut polls = Vec::new();
    for id in ids.iter().cycle().take(CLIENTS) {
        let poll = Prepared::get(&deployment.url, &format!("/v1/exports/{id}"))?;
        polls.push(poll.header("prefer", "wait=30")?);
    }
    let cpu_before = deployment.api_process().cpu_seconds()?;
    Ok(Following {
        clients: tokio::spawn(on_one_thread(move || follow_all(polls))),
        cpu_before,
        started: Instant::now(),
    })
}

impl Following {
    /// Waits until every client has heard of the end.
    async fn end(self, deployment: &Deployment<'_>) -> anyhow::Result<Followed> {
        let heard = self.clients.await??;
        let elapsed = self.started.elapsed();
        let cpu = deployment.api_process().cpu_seconds()? - self.cpu_before;
        Ok(Followed {
            cpu: 100.0 * cpu / elapsed.as_secs_f64(),
            elapsed,
            delays: heard.iter().map(|heard| heard.delay).collect(),
            polls: heard.iter().map(|heard| heard.polls).sum(),
        })
    }
}

async fn follow_all(polls: Vec<Prepared>) -> anyhow::Result<Vec<Heard>> {
    let mut clients = JoinSet::new();
    let pause = BEGINNING / u32::try_from(polls.len())?;
    for poll in polls {
        clients.spawn(follow(poll));
        tokio::time::sleep(pause).await;
    }
    let mut heard = Vec::new();
    while let Some(client) = clients.join_next().await {
        heard.push(client??);
    }
    Ok(heard)
}

/// What is read of an export.
#[derive(Deserialize)]
struct Polled<'a> {
    status: &'a str,
    completed_at: Option<DateTime<Utc>>,
}

async fn follow(poll: Prepared) -> anyhow::Result<Heard> {
    let mut connection = poll.connect().await?;
    let mut polls = 0;
    loop {
        let answer = connection.send(&poll).await?;
        polls += 1;
        anyhow::ensure!(answer.status == StatusCode::OK, "{answer:?}");
        anyhow::ensure!(
            answer.headers.contains_key("preference-applied"),
            "a client was not held"
        );
        let export: Polled<'_> = serde_json::from_slice(&answer.body)?;
        match (export.status, export.completed_at) {
            ("queued" | "running", _) => {}
            ("completed", Some(completed_at)) => {
                let delay = (Utc::now() - completed_at).to_std().unwrap_or_default();
                return Ok(Heard { delay, polls });
            }
            (ended, _) => bail!("an export {ended}"),
        }
    }
}
