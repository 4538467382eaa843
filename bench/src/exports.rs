//! The race: the same rows as CSV, by everybody in turn, round after round.

use std::io::{BufWriter, Write as _};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use crate::api::Export;
use crate::baselines::upload::Client;
use crate::baselines::{psql, rows};
use crate::dataset;
use crate::deployment::Deployment;
use crate::endpoint::received;
use crate::figure::{Figure, Unit};
use crate::fixture::Fixture;
use crate::parts::Part;
use crate::process::run_pipe;
use crate::progress;
use crate::store::Store;
use crate::table::Findings;

/// The most that an export may take of what psql takes that only reads.
const OF_PSQL: f64 = 0.75;
/// The most that one into a real store may take of what psql and `aws s3 cp` take.
const OF_PSQL_AND_UPLOAD: f64 = 0.8;

pub(crate) async fn measure(fixture: &Fixture<'_>) -> anyhow::Result<Findings> {
    let runs = [Part::Psql, Part::Upload, Part::Rows, Part::Exports];
    if !fixture.parts.has_any(&runs) {
        return Ok(Findings::default());
    }
    let mut race = Race::prepare(fixture).await?;
    for round in 1..=fixture.rounds {
        for number in 0..race.runners.len() {
            let took = race.run(number).await?;
            let runner = &mut race.runners[number];
            progress::line(format_args!(
                "round {round}: {:.2} s, {}",
                took.as_secs_f64(),
                runner.name
            ));
            runner.times.push(took);
        }
    }
    race.findings()
}

struct Race<'g, 'c> {
    fixture: &'g Fixture<'c>,
    runners: Vec<Runner<'c>>,
    psql_bytes: u64,
    remarks: Vec<String>,
}

struct Runner<'c> {
    name: String,
    kind: Kind<'c>,
    times: Vec<Duration>,
}

enum Kind<'c> {
    Psql,
    Upload(Client),
    Rows(Store),
    Waybill(Box<Service<'c>>),
}

/// The service on one of the stores, and what its exports cost.
struct Service<'c> {
    store: Store,
    deployment: Deployment<'c>,
    worker_cpu: Vec<f64>,
    size_bytes: u64,
    downloaded: bool,
}

impl<'g, 'c> Race<'g, 'c> {
    /// Everything started and warm: the rows have been read once, connections are open.
    async fn prepare(fixture: &'g Fixture<'c>) -> anyhow::Result<Self> {
        let mut race = Self {
            fixture,
            runners: Vec::new(),
            psql_bytes: psql::bytes(fixture)?,
            remarks: Vec::new(),
        };
        if fixture.parts.has(Part::Psql) {
            race.add("psql COPY csv > /dev/null".to_owned(), Kind::Psql);
        }
        if fixture.parts.has(Part::Upload) {
            race.add_uploads();
        }
        let stores = [&fixture.discarding, &fixture.storing];
        if fixture.parts.has(Part::Rows) {
            for store in stores {
                let name = format!("sqlx rows, csv crate, {}", store.name);
                race.add(name, Kind::Rows(store.clone()));
            }
        }
        if fixture.parts.has(Part::Exports) {
            for store in stores {
                let mut deployment = Deployment::start(fixture, store).await?;
                deployment.start_worker()?;
                deployment.warm_up().await?;
                let service = Service {
                    store: store.clone(),
                    deployment,
                    worker_cpu: Vec::new(),
                    size_bytes: 0,
                    downloaded: false,
                };
                let name = format!("waybill, POST to completed, {}", store.name);
                race.add(name, Kind::Waybill(Box::new(service)));
            }
            fixture.storing.empty().await?;
        }
        Ok(race)
    }

    fn add_uploads(&mut self) {
        for client in Client::installed() {
            self.add(format!("psql COPY csv | {client}"), Kind::Upload(client));
        }
        for client in Client::ALL {
            if client.path().is_none() {
                let program = client.program();
                self.remarks.push(format!(
                    "skipped: psql COPY csv | {client} (no {program} on the PATH)"
                ));
            }
        }
    }

    fn add(&mut self, name: String, kind: Kind<'c>) {
        self.runners.push(Runner {
            name,
            kind,
            times: Vec::new(),
        });
    }

    async fn run(&mut self, number: usize) -> anyhow::Result<Duration> {
        let fixture = self.fixture;
        let Runner { name, kind, .. } = &mut self.runners[number];
        let took = match kind {
            Kind::Psql => psql::to_null(fixture),
            Kind::Upload(client) => {
                client
                    .export(fixture, &fixture.storing, self.psql_bytes)
                    .await
            }
            Kind::Rows(store) => rows::export(fixture, store).await,
            Kind::Waybill(service) => {
                let outcome = service.export(fixture).await;
                service.deployment.explain(outcome)
            }
        };
        let took = took.with_context(|| name.clone())?;
        // Nothing of this run is left to be written back during the next.
        fixture.storing.empty().await?;
        run_pipe(vec![std::process::Command::new("sync")], psql::LONGEST)?;
        Ok(took)
    }

    fn findings(self) -> anyhow::Result<Findings> {
        let mut findings = Findings {
            figures: Vec::new(),
            remarks: self.remarks,
        };
        let is_aws = |runner: &&Runner<'_>| matches!(runner.kind, Kind::Upload(Client::Aws));
        let is_psql = |runner: &&Runner<'_>| matches!(runner.kind, Kind::Psql);
        let figure = |runner: &Runner<'_>| Figure::of_durations(&runner.name, &runner.times);
        let psql = self.runners.iter().find(is_psql).map(figure);
        let aws = self.runners.iter().find(is_aws).map(figure);
        for runner in &self.runners {
            let figure = figure(runner);
            findings.figures.push(match &runner.kind {
                Kind::Psql => figure.note(format!("{} MB", self.psql_bytes / 1_000_000)),
                Kind::Upload(_) | Kind::Rows(_) => figure.against(psql.as_ref()),
                Kind::Waybill(service) => {
                    let discards = service.store.endpoint == self.fixture.discarding.endpoint;
                    let figure = if discards {
                        figure.against(psql.as_ref()).ratio_at_most(OF_PSQL)
                    } else {
                        figure
                            .against(aws.as_ref())
                            .ratio_at_most(OF_PSQL_AND_UPLOAD)
                    };
                    figure.note(service.note())
                }
            });
        }
        Ok(findings)
    }
}

impl Service<'_> {
    /// One export, from before the request to the answer that says it completed.
    async fn export(&mut self, fixture: &Fixture<'_>) -> anyhow::Result<Duration> {
        let api = self.deployment.api.clone();
        let request = dataset::rows_request("session_rows", &dataset::all(), None);
        let discards = self.store.endpoint == fixture.discarding.endpoint;
        let http = reqwest::Client::new();
        let endpoint = &fixture.discarding.endpoint;
        let received_before = received(&http, endpoint).await?;
        let cpu_before = self.deployment.worker()?.cpu_seconds()?;

        let started = Instant::now();
        let accepted = api.enqueue(&request).await?;
        let export = api.completed(&accepted.id).await?;
        let took = started.elapsed();

        let cpu = self.deployment.worker()?.cpu_seconds()? - cpu_before;
        self.worker_cpu.push(cpu);
        let row_count = export.row_count.context("completed without row_count")?;
        anyhow::ensure!(
            row_count == fixture.rows,
            "{row_count} rows of {}",
            fixture.rows
        );
        self.size_bytes = export.size_bytes.context("completed without size_bytes")?;
        if discards {
            let arrived = received(&http, endpoint).await? - received_before;
            anyhow::ensure!(arrived >= self.size_bytes, "only {arrived} bytes arrived");
        } else if !self.downloaded {
            download(fixture, &self.deployment, &export).await?;
            self.downloaded = true;
        }
        Ok(took)
    }

    fn note(&self) -> String {
        let cpu = Figure::new("", Unit::Seconds, self.worker_cpu.clone()).median;
        let mut note = format!(
            "{} MB, {cpu:.2} s of the worker's processor time",
            self.size_bytes / 1_000_000
        );
        if self.downloaded {
            note.push_str("; downloaded once: SHA-256 and rows as in the receipt");
        }
        note
    }
}

/// Downloads the file and holds it against its receipt: the checksum, and the rows as another reader counts them.
async fn download(
    fixture: &Fixture<'_>,
    deployment: &Deployment<'_>,
    export: &Export,
) -> anyhow::Result<()> {
    let path = fixture.scratch().join("download.csv");
    let mut file = BufWriter::new(std::fs::File::create(&path)?);
    let mut sha256 = Sha256::new();
    deployment
        .api
        .download(export, |bytes| {
            sha256.update(bytes);
            Ok(file.write_all(bytes)?)
        })
        .await?;
    file.flush()?;
    let got: String = sha256
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let promised = export
        .checksum
        .as_ref()
        .context("completed without checksum")?;
    anyhow::ensure!(
        got == promised.value,
        "SHA-256 {got}, the receipt has {}",
        promised.value
    );

    let mut reader = csv::Reader::from_path(&path)?;
    anyhow::ensure!(
        reader.headers()?.iter().eq(dataset::COLUMNS),
        "another header"
    );
    let mut record = csv::ByteRecord::new();
    let mut rows = 0;
    while reader.read_byte_record(&mut record)? {
        rows += 1;
    }
    anyhow::ensure!(rows == fixture.rows, "{rows} rows in the file");
    std::fs::remove_file(&path)?;
    Ok(())
}
