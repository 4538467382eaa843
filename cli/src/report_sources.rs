//! What may be asked and where it is read: the catalog and a connection to each of its sources.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use waybill_config::{Config, DatabaseUrl};
use waybill_report::catalog::Catalog;
use waybill_report::source::{self, Source, SourceLimits, Sources};

use crate::error::StartError;

/// A catalog with its sources, which may be away.
pub(crate) struct ReportSources {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) sources: Sources,
    /// Where the catalog stands; `None` for the demo's, which is ours.
    pub(crate) file: Option<PathBuf>,
}

impl ReportSources {
    /// The operator's own. `at_once` is how many reports this process reads at the same time.
    pub(crate) fn of(config: &Config, at_once: usize) -> Result<Self, StartError> {
        let file = config.catalog_path().map_err(StartError::usage)?;
        let catalog = Catalog::read(file).map_err(StartError::usage)?;
        Self::with_catalog(catalog, file, config, at_once)
    }

    /// What the catalog is called in texts about it.
    pub(crate) fn file_name(&self) -> PathBuf {
        let demo = || PathBuf::from("the demo's catalog");
        self.file.clone().unwrap_or_else(demo)
    }

    /// A catalog that was read, with its sources.
    pub(crate) fn with_catalog(
        catalog: Catalog,
        file: &Path,
        config: &Config,
        at_once: usize,
    ) -> Result<Self, StartError> {
        let mut sources = Sources::default();
        for dataset in catalog.datasets() {
            let name = dataset.source.as_str();
            if sources.get(name).is_none() {
                sources.add(name, source(name, config, at_once)?);
            }
        }
        Ok(Self {
            catalog: Arc::new(catalog.with_max_columns(config.limits.max_columns)),
            sources,
            file: Some(file.to_owned()),
        })
    }

    /// The demo's, from its SQLite file.
    pub(crate) fn demo(config: &Config, file: &Path) -> anyhow::Result<Self> {
        let url = DatabaseUrl::try_from(format!("sqlite://{}", file.display()))?;
        let mut sources = Sources::default();
        sources.add("default", connect(&url, config, 1)?);
        let catalog = Catalog::parse(waybill_demo::CATALOG).context("the demo's catalog")?;
        Ok(Self {
            catalog: Arc::new(catalog.with_max_columns(config.limits.max_columns)),
            sources,
            file: None,
        })
    }
}

/// The source that is configured under this name. `at_once` is how many reports are read from it at the
/// same time, unless its settings say otherwise.
pub(crate) fn source(
    name: &str,
    config: &Config,
    at_once: usize,
) -> Result<Arc<dyn Source>, StartError> {
    let url = config.source_url(name).map_err(StartError::usage)?;
    let at_once = config.source_connections(name).unwrap_or(at_once);
    connect(url, config, at_once)
        .map_err(|fault| StartError::usage(format_args!("sources.{name}.url: {fault:#}")))
}

/// The source at a URL. A server may come later, a file does not.
fn connect(
    url: &DatabaseUrl,
    config: &Config,
    connections: usize,
) -> anyhow::Result<Arc<dyn Source>> {
    if let Some(file) = url.sqlite_path().filter(|file| !file.is_file()) {
        anyhow::bail!("there is no file {}", file.display());
    }
    let limits = SourceLimits {
        statement_timeout: config.exports.timeout(),
        connections,
    };
    Ok(source::connect(url, limits)?)
}
