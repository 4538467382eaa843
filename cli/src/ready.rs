//! Telling others that the process is ready.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Map, Value};

use crate::dependencies::Dependencies;
use crate::error::StartError;
use crate::startup::Waiting;

/// Where the process listens, by what it serves there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses(Map<String, Value>);

impl Addresses {
    pub(crate) fn with(mut self, service: &str, url: &str) -> Self {
        self.0.insert(service.to_owned(), Value::from(url));
        self
    }
}

/// Waits until nothing is missing, and says so: in the log, and in `file`, if there is to be one.
pub(crate) async fn announce(
    dependencies: &Dependencies,
    addresses: &Addresses,
    file: Option<&Path>,
) -> Result<(), StartError> {
    let mut waiting = Waiting::default();
    while let Err(error) = dependencies.readiness.check().await {
        waiting.pause("what is missing", error).await;
    }
    tracing::info!("ready");
    if let Some(file) = file {
        write_file(file, addresses)?;
    }
    Ok(())
}

/// Writes the addresses as JSON, all or nothing.
fn write_file(path: &Path, Addresses(addresses): &Addresses) -> anyhow::Result<()> {
    let text = serde_json::to_string(addresses)?;
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".tmp");
    fs::write(&unfinished, format!("{text}\n"))
        .and_then(|()| fs::rename(&unfinished, path))
        .with_context(|| format!("--ready-file {}", path.display()))
}
