//! The examples for users: the whole flow in each language, with a key, under a limit that makes them wait.

use std::path::Path;
use std::process::Command;
use std::thread;

use tempfile::TempDir;
use waybill_test_services::exposition::Exposition;

use crate::harness::documents::root;
use crate::harness::keys::Key;
use crate::harness::launch::{Exit, Launch};

/// Interpreters, what they run, and what else that needs.
const EXAMPLES: [(&str, &str, &[&str]); 3] = [
    ("bash", "export.sh", &["curl", "jq", "sha256sum"]),
    ("python3", "export.py", &[]),
    ("node", "export.mjs", &[]),
];

const ROWS: usize = 20_000;

/// Fails with what to install, so that no example goes untried.
fn demand(program: &str) {
    let found = Command::new(program).arg("--version").output();
    assert!(
        found.is_ok_and(|output| output.status.success()),
        "{program} is missing, which the examples are run with; tests/run.sh installs it, or says how"
    );
}

fn run(interpreter: &str, file: &str, url: &str, key: &Key, folder: &Path) -> Exit {
    let mut command = Command::new(interpreter);
    command
        .arg(root().join("examples").join(file))
        .env("WAYBILL_URL", url)
        .env("WAYBILL_KEY", &key.secret)
        .current_dir(folder);
    Exit::of(command, folder)
}

#[tokio::test]
async fn every_example_goes_through_the_whole_flow() {
    for (interpreter, _, others) in EXAMPLES {
        demand(interpreter);
        others.iter().for_each(|other| demand(other));
    }
    let server = Launch::new()
        .demo_rows(ROWS)
        .env("AUTH__MODE", "keys")
        .env("LIMITS__REQUESTS_PER_SECOND", 1)
        .env("LIMITS__BURST", 2)
        .start();
    let viewer = ["--org", "org_demo", "--role", "viewer"];
    let exits: Vec<(&str, Exit, TempDir)> = thread::scope(|scope| {
        let running = EXAMPLES.map(|(interpreter, file, _)| {
            let (key, url) = (Key::create(&server, &viewer), server.api());
            scope.spawn(move || {
                let folder = TempDir::new().expect("a folder");
                let exit = run(interpreter, file, url, &key, folder.path());
                (file, exit, folder)
            })
        });
        running.map(|thread| thread.join().expect("it ran")).into()
    });

    for (file, exit, folder) in &exits {
        assert_eq!(exit.code, Some(0), "{file}: {exit:?}");
        let (report, rest) = exit
            .stdout
            .split_at(exit.stdout.find("asked").expect("a job"));
        assert!(
            report.starts_with("datasets: session_rows, sessions\nstatus,session_count\n"),
            "{file}: {exit:?}"
        );
        // Whether the other job had ended when it was cancelled is a race that an example copes with.
        let rest = rest.replace("OK\ncompleted\n", "OK\ncancelled\n");
        let expected = format!(
            "asked twice: one job\ncompleted: {ROWS} rows\nsession_rows-20260424-20260524.csv: OK\ncancelled\n\
             400 invalid_query\n  /query/limit invalid_limit\n  /query/dimensions/0 unknown_dimension\n"
        );
        assert_eq!(rest, expected, "{file}");
        let download = folder.path().join("session_rows-20260424-20260524.csv");
        let lines = std::fs::read_to_string(download)
            .expect("the file")
            .lines()
            .count();
        assert_eq!(lines, 1 + ROWS, "{file}");
    }
    let scrape = server.http().get("/metrics").await.expect(200);
    let refused = Exposition::read(scrape.text())
        .value("waybill_http_problems_total", &[("code", "rate_limited")]);
    assert!(refused >= 3.0, "told to wait {refused} times");
}
