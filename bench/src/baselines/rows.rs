//! An exporter as a team writes it in an afternoon: fetch row by row, serialise each with the `csv`
//! crate, send a part when there is enough for one. Streaming, correct, and without any trick.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use chrono::{DateTime, NaiveDate, Utc};
use futures::TryStreamExt as _;
use serde::Serialize;
use sqlx::FromRow;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;
use waybill_test_services::s3::BUCKET;

use crate::dataset;
use crate::fixture::Fixture;
use crate::store::Store;

const KEY: &str = "rows.csv";
const PART_BYTES: usize = 8 << 20;
/// How long it may take.
const LONGEST: Duration = Duration::from_secs(600);

const SELECT: &str = "
    SELECT session_id, status, agent, title, started_at, finished_at, day, duration_ms, input_tokens,
           score, cost::text, succeeded, attributes::text
    FROM sessions
    WHERE org_id = $1 AND started_at >= $2 AND started_at < $3";

#[derive(Debug, FromRow, Serialize)]
struct Session {
    session_id: Uuid,
    status: String,
    agent: String,
    title: String,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    day: NaiveDate,
    duration_ms: Option<i32>,
    input_tokens: i32,
    score: Option<f64>,
    cost: Option<String>,
    succeeded: Option<bool>,
    attributes: String,
}

/// Exports the rows into a store; every row has to come.
pub(crate) async fn export(fixture: &Fixture<'_>, store: &Store) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let rows = tokio::time::timeout(LONGEST, run(&fixture.source.url(), store)).await;
    let rows = rows.context("the plain exporter takes too long")??;
    let took = started.elapsed();
    anyhow::ensure!(rows == fixture.rows, "{rows} rows of {}", fixture.rows);
    Ok(took)
}

async fn run(url: &str, store: &Store) -> anyhow::Result<u64> {
    let pool = PgPoolOptions::new().max_connections(1).connect(url).await?;
    let mut upload = Upload::start(store).await?;
    let mut csv = csv::Writer::from_writer(Vec::with_capacity(PART_BYTES));
    let range = dataset::all();
    let mut sessions = sqlx::query_as::<_, Session>(SELECT)
        .bind(dataset::ORG)
        .bind(range.from)
        .bind(range.to)
        .fetch(&pool);
    let mut rows = 0;
    while let Some(session) = sessions.try_next().await? {
        rows += 1;
        csv.serialize(session)?;
        if csv.get_ref().len() >= PART_BYTES {
            let part = csv.into_inner().context("a Vec takes every byte")?;
            upload.send(part).await?;
            // The header is out already.
            csv = csv::WriterBuilder::new()
                .has_headers(false)
                .from_writer(Vec::with_capacity(PART_BYTES));
        }
    }
    upload
        .send(csv.into_inner().context("a Vec takes every byte")?)
        .await?;
    upload.finish().await?;
    Ok(rows)
}

struct Upload<'s> {
    store: &'s Store,
    id: String,
    parts: Vec<CompletedPart>,
}

impl<'s> Upload<'s> {
    async fn start(store: &'s Store) -> anyhow::Result<Self> {
        let created = store
            .client
            .create_multipart_upload()
            .bucket(BUCKET)
            .key(KEY);
        let created = created.send().await?;
        Ok(Self {
            store,
            id: created.upload_id().context("no upload id")?.to_owned(),
            parts: Vec::new(),
        })
    }

    async fn send(&mut self, bytes: Vec<u8>) -> anyhow::Result<()> {
        let number = i32::try_from(self.parts.len() + 1)?;
        let sent = self
            .store
            .client
            .upload_part()
            .bucket(BUCKET)
            .key(KEY)
            .upload_id(&self.id)
            .part_number(number)
            .body(ByteStream::from(bytes))
            .send()
            .await?;
        let part = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .build();
        self.parts.push(part);
        Ok(())
    }

    async fn finish(self) -> anyhow::Result<()> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(self.parts));
        self.store
            .client
            .complete_multipart_upload()
            .bucket(BUCKET)
            .key(KEY)
            .upload_id(self.id)
            .multipart_upload(parts.build())
            .send()
            .await?;
        Ok(())
    }
}
