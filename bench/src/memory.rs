//! Peak memory of a worker: a fresh process for each export, one of ten times the rows of the other.

use anyhow::Context as _;

use crate::dataset;
use crate::deployment::Deployment;
use crate::figure::{Figure, Unit};
use crate::fixture::Fixture;
use crate::parts::Part;
use crate::progress;
use crate::store::Store;
use crate::table::Findings;

/// The most MiB.
const MOST: f64 = 64.0;
/// The most that ten times the rows may take of it.
const MOST_GROWTH: f64 = 1.1;

pub(crate) async fn measure(fixture: &Fixture<'_>) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    if !fixture.parts.has(Part::Memory) {
        return Ok(findings);
    }
    for store in [&fixture.discarding, &fixture.storing] {
        let mut deployment = Deployment::start(fixture, store).await?;
        let half = fixture.rows / 2;
        let small = peak(
            fixture,
            &mut deployment,
            store,
            "session_rows",
            Some(half),
            half,
        )
        .await?;
        let (fivefold, rows) = ("session_rows_fivefold", fixture.rows * 5);
        let large = peak(fixture, &mut deployment, store, fivefold, None, rows).await?;
        let large = large.against(Some(&small)).ratio_at_most(MOST_GROWTH);
        // The ratio has its own line, so that both targets show.
        let bounded = Figure::new(large.what.clone(), Unit::Mebibytes, large.values.clone());
        let growth = Figure {
            what: format!("{}, growth", large.what),
            ..large
        };
        findings
            .figures
            .extend([small.at_most(MOST), bounded.at_most(MOST), growth]);
    }
    Ok(findings)
}

async fn peak(
    fixture: &Fixture<'_>,
    deployment: &mut Deployment<'_>,
    store: &Store,
    dataset: &str,
    limit: Option<u64>,
    rows: u64,
) -> anyhow::Result<Figure> {
    deployment.start_worker()?;
    let request = dataset::rows_request(dataset, &dataset::all(), limit);
    let accepted = deployment.api.enqueue(&request).await?;
    let completed = deployment.api.completed(&accepted.id).await;
    let export = deployment.explain(completed)?;
    let row_count = export.row_count.context("completed without row_count")?;
    anyhow::ensure!(row_count == rows, "{row_count} rows of {rows}");
    let peak = deployment.worker()?.peak_memory_bytes()? as f64 / f64::from(1 << 20);
    fixture.storing.empty().await?;

    let what = format!(
        "worker's peak memory, {:.1} M rows, {}",
        rows as f64 / 1e6,
        store.name
    );
    progress::line(format_args!("{peak:.1} MiB, {what}"));
    Ok(Figure::new(what, Unit::Mebibytes, vec![peak]))
}
