//! The common ground of all measurements: the same rows, servers and executable for everybody.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use tempfile::TempDir;
use waybill_test_services::postgres::{Cluster, Database};

use crate::dataset;
use crate::executable;
use crate::options::Options;
use crate::parts::{Part, Parts};
use crate::progress;
use crate::servers::{Server, ServerProcess};
use crate::store::Store;

/// See the module.
pub(crate) struct Fixture<'c> {
    pub(crate) cluster: &'c Cluster,
    /// The database that holds the rows.
    pub(crate) source: Database<'c>,
    /// Rows of the exported organisation, counted by SQL.
    pub(crate) rows: u64,
    pub(crate) rounds: usize,
    pub(crate) parts: Parts,
    /// The S3 endpoint that discards, and its process.
    pub(crate) discarding: Store,
    pub(crate) discarder: ServerProcess,
    /// The real S3 server.
    pub(crate) storing: Store,
    _storer: ServerProcess,
    /// The executable; `None` when nothing chosen needs it.
    executable: Option<PathBuf>,
    /// What it says of itself.
    pub(crate) waybill_version: Option<String>,
    folder: TempDir,
}

impl<'c> Fixture<'c> {
    /// Builds the executable, starts the servers and loads the rows.
    pub(crate) async fn prepare(
        cluster: &'c Cluster,
        options: &Options,
        parts: Parts,
    ) -> anyhow::Result<Self> {
        let needs_waybill = parts.has_any(&[
            Part::Exports,
            Part::Memory,
            Part::Cells,
            Part::Inline,
            Part::Enqueue,
            Part::Pickup,
            Part::Overload,
            Part::Flood,
            Part::Waiting,
            Part::Admission,
            Part::Fairness,
            Part::Noise,
        ]);
        let executable = needs_waybill.then(executable::path).transpose()?;
        let waybill_version = executable.as_deref().map(executable::version).transpose()?;

        let folder = TempDir::with_prefix("waybill-bench-")?;
        fs::write(folder.path().join("catalog.toml"), dataset::CATALOG)?;

        let discarder = Server::ServeDiscard.start()?;
        let storer = Server::ServeS3.start()?;

        progress::line(format_args!(
            "loading {} rows and a tenth on top",
            options.rows
        ));
        let source = cluster.database();
        let rows = dataset::load(&source, options.rows)?;
        Ok(Self {
            cluster,
            source,
            rows,
            rounds: options.rounds as usize,
            parts,
            discarding: Store::new("S3 that discards", discarder.endpoint()),
            storing: Store::new("S3 server", storer.endpoint()),
            discarder,
            _storer: storer,
            executable,
            waybill_version,
            folder,
        })
    }

    /// The `waybill` executable.
    pub(crate) fn executable(&self) -> anyhow::Result<&PathBuf> {
        self.executable
            .as_ref()
            .context("no chosen part needs the executable")
    }

    /// The catalog's file.
    pub(crate) fn catalog(&self) -> PathBuf {
        self.folder.path().join("catalog.toml")
    }

    /// A folder for files that a measurement writes.
    pub(crate) fn scratch(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// One of PostgreSQL's programs, to be connected to the rows as everybody else is: over TCP.
    pub(crate) fn postgres_program(&self, name: &str) -> std::process::Command {
        std::process::Command::new(self.cluster.programs().join(name))
    }
}
