//! The discarding endpoint by itself: what it takes from a client that does nothing but send.
//!
//! An exporter that is much slower than this is not slowed by it.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use reqwest::Client;

use crate::figure::{Figure, Unit};
use crate::fixture::Fixture;
use crate::parts::Part;
use crate::process::cpu_seconds;
use crate::progress;
use crate::servers::RECEIVED;
use crate::table::Findings;

const PART_BYTES: usize = 8 << 20;
/// Parts of a round, together half a gigabyte: about an export.
const PARTS: usize = 64;
/// Parts on the way at the same time, as of an export.
const IN_FLIGHT: usize = 2;
const LONGEST: Duration = Duration::from_secs(60);

pub(crate) async fn measure(fixture: &Fixture<'_>) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    if !fixture.parts.has(Part::Endpoint) {
        return Ok(findings);
    }
    let client = Client::builder().timeout(LONGEST).build()?;
    let endpoint = &fixture.discarding.endpoint;
    let part = Bytes::from(vec![b'x'; PART_BYTES]);
    send(&client, endpoint, &part, IN_FLIGHT).await?;

    let megabytes = (PARTS * PART_BYTES) as f64 / 1e6;
    let before = received(&client, endpoint).await?;
    let cpu_before = cpu_seconds(fixture.discarder.id())?;
    let mut rates = Vec::new();
    for round in 1..=fixture.rounds {
        let started = Instant::now();
        send(&client, endpoint, &part, PARTS).await?;
        let rate = megabytes / started.elapsed().as_secs_f64();
        progress::line(format_args!(
            "round {round}: {rate:.0} MB/s into the discarding endpoint"
        ));
        rates.push(rate);
    }
    let gigabytes = megabytes / 1e3 * fixture.rounds as f64;
    let cpu = (cpu_seconds(fixture.discarder.id())? - cpu_before) / gigabytes;
    let arrived = received(&client, endpoint).await? - before;
    let sent = (fixture.rounds * PARTS * PART_BYTES) as u64;
    anyhow::ensure!(arrived == sent, "sent {sent} bytes, {arrived} arrived");

    let what = "the S3 that discards, by itself";
    let note = format!("it uses {cpu:.2} s of processor time for each GB");
    let figure = Figure::new(what, Unit::MegabytesPerSecond, rates).note(note);
    findings.figures.push(figure);
    Ok(findings)
}

/// Bytes that the endpoint has taken so far.
pub(crate) async fn received(client: &Client, endpoint: &str) -> anyhow::Result<u64> {
    let answer = client.get(format!("{endpoint}{RECEIVED}")).send().await?;
    let text = answer.text().await?;
    text.parse().with_context(|| format!("no number: {text}"))
}

async fn send(client: &Client, endpoint: &str, part: &Bytes, parts: usize) -> anyhow::Result<()> {
    let send_some = || async {
        for number in 1..=parts / IN_FLIGHT {
            let url = format!("{endpoint}/waybill/key?partNumber={number}&uploadId=upload");
            let answer = client.put(url).body(part.clone()).send().await?;
            answer.error_for_status()?;
        }
        anyhow::Ok(())
    };
    let senders = (0..IN_FLIGHT).map(|_| send_some());
    futures::future::try_join_all(senders).await.map(drop)
}
