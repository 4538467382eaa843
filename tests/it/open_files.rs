//! Few open files: connections get their part of them, and nobody is locked out by those of others.

use std::process::Command;

use tempfile::TempDir;

use crate::harness::connection::begun;
use crate::harness::http::{EXPORT, Http};
use crate::harness::launch::command;
use crate::harness::reports::{by_status, export_of};
use crate::harness::server::start;
use crate::harness::values::text;

/// The command in a shell that allows so many open files, and at first fewer.
fn with_open_files(limit: usize, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!(
            "ulimit -Sn 64 && ulimit -Hn {limit} && exec \"$0\" \"$@\""
        ))
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_leave_the_service_its_files() {
    const OPEN_FILES: usize = 512;
    let folder = TempDir::new().expect("a folder for the test");
    let mut up = command("up", folder.path());
    up.args(["--listen", "127.0.0.1:0", "--s3-listen", "127.0.0.1:0"])
        .args(["--demo-rows", "100"])
        .env("WAYBILL__LIMITS__READ_TIMEOUT_SECONDS", "1")
        .env("WAYBILL__LIMITS__IDLE_TIMEOUT_SECONDS", "2");
    let (file, mut process) = start("up", with_open_files(OPEN_FILES, &up), folder.path());
    let ready = process.ready(&file).unwrap_or_else(|why| panic!("{why}"));
    let (api, s3) = (text(&ready["api"]), text(&ready["s3"]));

    let log = process.log().stderr();
    assert!(log.contains("limits.max_connections is 10000"), "{log}");
    assert!(log.contains(&format!("open_files={OPEN_FILES}")), "{log}");

    let idle: Vec<_> = (0..600).map(|_| begun(&s3, "")).collect();
    let http = Http::new(&api);
    let request = export_of(&by_status());
    http.post(EXPORT, &request).await.report_export();
    // The export is uploaded to, and downloaded from, the listener that the others are at.
    let (_, file) = http.exported(&request).await;
    assert!(!file.is_empty());
    drop(idle);
    let log = process.log().stderr();
    assert!(!log.contains("could not be taken"), "{log}");
}
