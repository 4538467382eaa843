//! Which `waybill` is measured: the one that `WAYBILL_EXE` names, or the one built beside this program.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

/// The path of the executable. Without `WAYBILL_EXE` it is built first, so that it is never a stale one.
pub(crate) fn path() -> anyhow::Result<PathBuf> {
    if let Some(path) = env::var_os("WAYBILL_EXE") {
        let path = PathBuf::from(path);
        anyhow::ensure!(
            path.is_file(),
            "WAYBILL_EXE names no file: {}",
            path.display()
        );
        return Ok(path);
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build
        .args(["build", "--package", "waybill", "--bin", "waybill"])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    let built = build.status().context("cargo cannot be started")?;
    anyhow::ensure!(built.success(), "the executable does not build");
    let path = env::current_exe()?.with_file_name("waybill");
    anyhow::ensure!(
        path.is_file(),
        "cargo put the executable elsewhere than {}; name it in WAYBILL_EXE",
        path.display()
    );
    Ok(path)
}

/// What `waybill --version` says.
pub(crate) fn version(executable: &Path) -> anyhow::Result<String> {
    let output = Command::new(executable)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} cannot be started", executable.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
