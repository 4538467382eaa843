//! What every service works with, put together from settings. None of them connects here.

use std::sync::Arc;

use waybill_api::{Access, HealthDependencies};
use waybill_config::{AuthMode, Config};
use waybill_ledger::database::Database;
use waybill_ledger::metrics::ProcessMetrics;
use waybill_readiness::Readiness;
use waybill_store::Bucket;
use waybill_store::StoreMetrics;

use crate::database;
use crate::error::StartError;
use crate::report_sources::ReportSources;

/// Everything that the services of a process share.
pub(crate) struct Dependencies {
    pub(crate) config: Config,
    pub(crate) reports: ReportSources,
    pub(crate) database: Database,
    pub(crate) bucket: Bucket,
    pub(crate) readiness: Readiness,
    metrics: ProcessMetrics,
}

impl Dependencies {
    pub(crate) fn new(
        config: Config,
        reports: ReportSources,
        database: Database,
        bucket: Bucket,
    ) -> Self {
        let readiness = Readiness::new(database.probe(), bucket.clone(), reports.sources.clone());
        Self {
            metrics: ProcessMetrics::new(env!("CARGO_PKG_VERSION"), database.intake()),
            config,
            reports,
            database,
            bucket,
            readiness,
        }
    }

    /// Those of one process among several: a PostgreSQL server and a store that others use too.
    /// `at_once` is how many reports this one reads at the same time.
    pub(crate) async fn distributed(config: Config, at_once: usize) -> Result<Self, StartError> {
        let reports = ReportSources::of(&config, at_once)?;
        let bucket = config.bucket().map_err(StartError::usage)?;
        let bucket = Bucket::new(bucket, &config.storage).await;
        let database = database::shared(&config).await?;
        Ok(Self::new(config, reports, database, bucket))
    }

    pub(crate) fn api(&self) -> waybill_api::Dependencies {
        let access = match self.config.auth.mode {
            AuthMode::None => Access::Everyone,
            AuthMode::Keys => Access::Keys(Arc::clone(&self.database.keys)),
        };
        waybill_api::Dependencies {
            catalog: Arc::clone(&self.reports.catalog),
            sources: self.reports.sources.clone(),
            ledger: self.database.intake(),
            changes: self.database.changes(),
            bucket: self.bucket.clone(),
            readiness: self.readiness.clone(),
            access,
            inline: self.config.inline.clone(),
            exports: self.config.exports.clone(),
            limits: self.config.limits.clone(),
            public_url: self.config.api.public_url.clone(),
            allowed_origins: self.config.api.allowed_origins.clone(),
            metrics: self.metrics.clone(),
        }
    }

    pub(crate) fn health(&self) -> HealthDependencies {
        HealthDependencies {
            readiness: self.readiness.clone(),
            metrics: self.metrics.clone(),
        }
    }

    pub(crate) fn worker(&self) -> waybill_worker::Dependencies {
        waybill_worker::Dependencies {
            catalog: Arc::clone(&self.reports.catalog),
            sources: self.reports.sources.clone(),
            work: self.database.work(),
            upkeep: self.database.upkeep(),
            outbox: self.database.outbox(),
            changes: self.database.changes(),
            queue: self.database.queue.clone(),
            bucket: self
                .bucket
                .clone()
                .counted_by(StoreMetrics::registered(&self.metrics)),
            readiness: self.readiness.clone(),
            worker: self.config.worker.clone(),
            exports: self.config.exports.clone(),
            grace: self.config.shutdown.grace(),
            metrics: self.metrics.clone(),
        }
    }
}
