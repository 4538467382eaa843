//! A log and an output that nobody reads: the service goes on, and stops when it is told to.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use tempfile::TempDir;
use waybill_test_services::exposition::Exposition;
use waybill_test_services::watch;

use crate::harness::eventually;
use crate::harness::http::Http;
use crate::harness::launch::command;

/// A server whose outputs are pipes in the hands of the test.
struct Piped {
    child: Child,
    _watch: Child,
    folder: TempDir,
}

impl Piped {
    fn start() -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        let child = Self::command(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the executable can be started");
        let watch = watch::end_with_us(&child, folder.path(), watch::KILL);
        Self {
            child,
            _watch: watch,
            folder,
        }
    }

    fn command(folder: &Path) -> Command {
        let mut command = command("up", folder);
        command
            .args(["--listen", "127.0.0.1:0", "--s3-listen", "127.0.0.1:0"])
            .args(["--demo-rows", "10", "--ready-file", "ready"]);
        command
    }

    /// A client, once the server is ready.
    async fn http(&self) -> Http {
        let file = self.folder.path().join("ready");
        let api = eventually("the server is ready", async || {
            let ready: serde_json::Value = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
            ready["api"].as_str().map(str::to_owned)
        });
        Http::new(&api.await)
    }

    async fn terminate(&mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", "TERM", &pid]).status();
        assert!(sent.expect("kill can be started").success());
        eventually("the server ends", async || {
            self.child.try_wait().expect("it can be asked")
        })
        .await
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn lost_lines(http: &Http) -> f64 {
    let answer = http.get("/metrics").await.expect(200);
    Exposition::read(answer.text()).value("waybill_log_lost_lines_total", &[])
}

#[tokio::test]
async fn a_service_goes_on_without_readers() {
    let mut server = Piped::start();
    drop((server.child.stdout.take(), server.child.stderr.take()));
    let http = server.http().await;
    for _ in 0..3 {
        http.get("/v1/exports").await.expect(200);
        http.get("/v1/nothing")
            .await
            .problem(404, "route_not_found");
    }
    eventually("lost lines are counted", async || {
        (lost_lines(&http).await >= 6.0).then_some(())
    })
    .await;
    assert!(server.terminate().await.success());
}

#[tokio::test]
async fn a_service_goes_on_while_its_reader_sleeps() {
    // More than a pipe holds.
    const REQUESTS: usize = 600;
    let mut server = Piped::start();
    let http = server.http().await;
    let target = format!("/v1/{}", "x".repeat(400));
    for _ in 0..REQUESTS {
        http.get(&target).await.problem(404, "route_not_found");
    }
    assert!(server.terminate().await.success());
}

#[test]
fn a_result_that_nobody_reads_is_a_fault_and_no_panic() {
    let folder = TempDir::new().expect("a folder for the test");
    let mut child = command("demo", folder.path())
        .arg("--print-catalog")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the executable can be started");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    // A pipe may take the whole of it before its reader is gone.
    let code = output.status.code();
    assert!(code == Some(0) || code == Some(1), "{output:?}");
    assert!(!told.contains("panicked"), "{told}");
    assert_eq!(told.contains("standard output"), code == Some(1), "{told}");
}
