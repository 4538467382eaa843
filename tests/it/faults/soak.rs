//! Faults at random for minutes, while clients work. What must be true is the same as ever.

use std::env;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use waybill_test_services::proxy::{Proxy, Step};

use crate::harness::disturbed::{Accepted, Disturbed};
use crate::harness::reports::export_of;
use crate::harness::server::Server;
use crate::harness::values::text;
use crate::harness::wide::{WIDE_ROWS, first_lines, first_rows};

/// Exports that are unfinished at the same time.
const OPEN: usize = 6;
/// The longest time between two faults, and that one lasts.
const LONGEST: Duration = Duration::from_secs(3);

#[expect(
    clippy::print_stderr,
    reason = "whoever waits for minutes wants to know for what"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: `tests/run.sh --soak MINUTES`"]
async fn random_faults_lose_nothing_and_leave_nothing() {
    let number = |name: &str| env::var(name).ok().and_then(|value| value.parse().ok());
    let minutes: u64 = number("WAYBILL_SOAK_MINUTES").unwrap_or(15);
    let seed: u64 = number("WAYBILL_SOAK_SEED").unwrap_or_else(rand::random);
    eprintln!("a soak of {minutes} minutes; again with WAYBILL_SOAK_SEED={seed}");

    let mut soak = Soak::start(StdRng::seed_from_u64(seed));
    let end = Instant::now() + Duration::from_secs(minutes * 60);
    while Instant::now() < end {
        soak.work().await;
        soak.fault().await;
        soak.pause().await;
    }
    eprintln!(
        "{} exports, {} of them cancelled; {} faults",
        soak.made, soak.cancelled, soak.faults
    );
    soak.end().await;
}

struct Soak {
    server: Disturbed,
    random: StdRng,
    /// Exports that were not yet seen completed, and their rows.
    open: Vec<(String, usize)>,
    made: usize,
    cancelled: usize,
    faults: usize,
}

impl Soak {
    fn start(random: StdRng) -> Self {
        let server = Disturbed::start(|launch| {
            launch
                .processes(2, 2)
                .env("WORKER__LEASE_SECONDS", 2)
                .env("SHUTDOWN__GRACE_SECONDS", 1)
                // Processes die here without end, and no export is to blame for it.
                .env("EXPORTS__MAX_ATTEMPTS", 100)
        });
        Self {
            server,
            random,
            open: Vec::new(),
            made: 0,
            cancelled: 0,
            faults: 0,
        }
    }

    /// What clients do: they ask for exports, think better of it, and fetch what is ready.
    async fn work(&mut self) {
        let http = self.server.http();
        let open = std::mem::take(&mut self.open);
        for (id, rows) in open {
            let export = http.export(&id).await;
            match export["status"].as_str() {
                Some("queued" | "running") if self.random.random_ratio(1, 20) => {
                    http.cancel(&id).await;
                    self.cancelled += 1;
                    http.delete(&id).await.expect(204);
                }
                Some("queued" | "running") => self.open.push((id, rows)),
                Some("completed") => {
                    let file = http.file_of(&export).await;
                    assert!(file == first_lines(rows).into_bytes(), "the bytes of {id}");
                    http.delete(&id).await.expect(204);
                }
                _ => panic!("{export:#}"),
            }
        }
        while self.open.len() < OPEN {
            let rows = if self.random.random() { WIDE_ROWS } else { 100 };
            let accepted = http.submit(&export_of(&first_rows(rows))).await;
            let id = text(&accepted["id"]);
            self.open.push((id, rows));
            self.made += 1;
        }
    }

    async fn fault(&mut self) {
        self.faults += 1;
        // Whatever happens may happen while a store begins an upload.
        self.server.uploads_may_be_unheard_of(1);
        match self.random.random_range(0..10) {
            0 | 1 => self.replace("worker", Server::kill_one),
            2 => self.replace("worker", |server, name| {
                let status = server.terminate_one(name);
                assert_eq!(status.code(), Some(0), "{name}: {status}");
            }),
            3 => self.replace("api", Server::kill_one),
            4 => self.way().cut(),
            5 => {
                self.way().go_away();
                self.pause().await;
                self.pass();
            }
            6 => {
                self.way().hang();
                self.pause().await;
                self.pass();
            }
            7 => {
                self.server.store.delay(Duration::from_millis(20));
                self.pause().await;
                self.pass();
            }
            8 => {
                let overload = self.server.store.answer(Step::AnyRequest, 503, Some(1));
                self.pause().await;
                drop(overload);
            }
            _ => {
                let spoil = self.server.store.corrupt(Step::AnyPart);
                self.pause().await;
                drop(spoil);
            }
        }
    }

    /// One process of the role goes, and a new one comes.
    fn replace(&mut self, role: &str, end: fn(&mut Server, &str)) {
        let server = &mut self.server.server;
        let names = server.names_of(role);
        end(server, &names[self.random.random_range(0..names.len())]);
        server.start_another(role);
    }

    /// One of the ways by which workers reach something.
    fn way(&mut self) -> &Proxy {
        let ways = [&self.server.ledger, &self.server.source, &self.server.store];
        ways[self.random.random_range(0..ways.len())]
    }

    fn pass(&self) {
        for way in [&self.server.ledger, &self.server.source, &self.server.store] {
            way.pass();
        }
    }

    /// Time is what a soak is about.
    async fn pause(&mut self) {
        let pause = LONGEST.mul_f64(self.random.random());
        tokio::time::sleep(pause).await;
    }

    /// Lets everything end, and looks at what is there.
    async fn end(self) {
        for (id, rows) in &self.open {
            self.server.account_for(Accepted::new(id, *rows));
        }
        self.server.settled().await;
    }
}
