//! Telling others that the process is ready.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// Where the process listens.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    pub(crate) api: String,
    pub(crate) s3: String,
}

/// Writes the addresses as JSON, all or nothing.
pub(crate) fn write_file(path: &Path, addresses: &Addresses) -> anyhow::Result<()> {
    let text = serde_json::json!({ "api": addresses.api, "s3": addresses.s3 });
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".tmp");
    fs::write(&unfinished, format!("{text}\n"))
        .and_then(|()| fs::rename(&unfinished, path))
        .with_context(|| format!("--ready-file {}", path.display()))
}
