//! Peak memory with large cells, four exports and four answers at a time, and what the statement's test
//! for cells that are too large costs where there are none.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::baselines::psql::LONGEST;
use crate::dataset;
use crate::deployment::Deployment;
use crate::figure::{Figure, Unit};
use crate::fixture::Fixture;
use crate::inline;
use crate::parts::Part;
use crate::process::run_pipe;
use crate::progress;
use crate::table::Findings;

/// Exports, and then answers, at the same time.
const AT_ONCE: u64 = 4;
/// The most MiB of a process that answers.
const MOST_OF_API: f64 = 96.0;
/// The most MiB of a worker: as many, and twelve times what a cell may have.
const MOST_OF_WORKER: f64 = 96.0 + 12.0 * 8.0;
/// The most that the test may cost, of what reading takes without it.
const MOST_OF_READING: f64 = 1.05;

/// The datasets of `catalog.toml`, and whether their cells are refused.
const DATASETS: [(&str, &str, bool); 4] = [
    ("cells_1k", "1 KiB", false),
    ("cells_1m", "1 MiB", false),
    ("cells_7m", "7 MiB", false),
    ("cells_200m", "200 MB, refused", true),
];

pub(crate) async fn measure(fixture: &Fixture<'_>) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    if !fixture.parts.has(Part::Cells) {
        return Ok(findings);
    }
    for (dataset, size, is_refused) in DATASETS {
        let mut deployment = Deployment::start(fixture, &fixture.discarding).await?;
        deployment.start_worker()?;
        let outcome = peaks(&deployment, dataset, is_refused).await;
        let (api, worker) = deployment.explain(outcome)?;
        progress::line(format_args!(
            "cells of {size}: API {api:.1} MiB, worker {worker:.1} MiB"
        ));
        let figure = |role, peak, most| {
            let what = format!("{role}'s peak memory, {AT_ONCE} at once, cells of {size}");
            Figure::new(what, Unit::Mebibytes, vec![peak]).at_most(most)
        };
        findings.figures.push(figure("API", api, MOST_OF_API));
        findings
            .figures
            .push(figure("worker", worker, MOST_OF_WORKER));
    }
    findings.figures.extend(cost_of_the_test(fixture).await?);
    Ok(findings)
}

/// The peaks of the API and of the worker in MiB.
async fn peaks(
    deployment: &Deployment<'_>,
    dataset: &str,
    is_refused: bool,
) -> anyhow::Result<(f64, f64)> {
    let mut exports = Vec::new();
    for _ in 0..AT_ONCE {
        exports.push(deployment.api.enqueue(&request(dataset)).await?);
    }
    for export in exports {
        let ended = deployment.api.completed(&export.id).await;
        match (ended, is_refused) {
            (Ok(_), false) => {}
            (Err(error), true) if error.to_string().contains("cell_too_large") => {}
            (Ok(_), true) => anyhow::bail!("cells of {dataset} were not refused"),
            (Err(error), _) => return Err(error),
        }
    }
    // They outgrow an answer, each of them.
    let body = request(dataset);
    let mut answers = Vec::new();
    for _ in 0..AT_ONCE {
        answers.push(deployment.api.outgrown(&body));
    }
    futures::future::try_join_all(answers).await?;
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    Ok((
        mebibytes(deployment.api_process().peak_memory_bytes()?),
        mebibytes(deployment.worker()?.peak_memory_bytes()?),
    ))
}

fn request(dataset: &str) -> Value {
    let mut request = dataset::rows_request(dataset, &dataset::all(), None);
    request["query"]["dimensions"] = json!(["n", "body"]);
    request
}

/// psql reading what the service reads, with the test and without it, in turn.
async fn cost_of_the_test(fixture: &Fixture<'_>) -> anyhow::Result<[Figure; 2]> {
    let few = dataset::rows_request("session_rows", &dataset::all(), Some(100));
    let sql = inline::sql_of(fixture, &few).await?;
    let with = sql.replace("LIMIT 100", "LIMIT 1000000000");
    let without = with
        .split_once("FROM (\n")
        .and_then(|(_, rest)| rest.rsplit_once("\n) AS report"))
        .map(|(report, _)| report.to_owned())
        .context("the statement of a report has no test around it")?;
    let (mut tested, mut plain) = (Vec::new(), Vec::new());
    for round in 0..=fixture.rounds {
        let (without, with) = (read(fixture, &without)?, read(fixture, &with)?);
        progress::line(format_args!(
            "round {round}: {:.2} s without the test, {:.2} s with it",
            without.as_secs_f64(),
            with.as_secs_f64()
        ));
        // The first round warms up.
        if round > 0 {
            plain.push(without);
            tested.push(with);
        }
    }
    let plain = Figure::of_durations("psql, binary COPY of the rows, no test of lengths", &plain);
    let tested = Figure::of_durations("the same with the test of lengths", &tested)
        .against(Some(&plain))
        .ratio_at_most(MOST_OF_READING);
    Ok([plain, tested])
}

fn read(fixture: &Fixture<'_>, sql: &str) -> anyhow::Result<Duration> {
    let mut psql = fixture.postgres_program("psql");
    psql.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"])
        .args([
            "--command",
            &format!("COPY ({sql}) TO STDOUT (FORMAT binary)"),
        ])
        .arg(fixture.source.url())
        .stdout(Stdio::null());
    run_pipe(vec![psql], LONGEST)
}
