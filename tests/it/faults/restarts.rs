//! New processes for old ones, one after the other, while clients work: they see no fault, and what
//! they were promised is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde_json::Value;

use crate::harness::answer::Answer;
use crate::harness::disturbed::{Accepted, Disturbed};
use crate::harness::http::{EXPORT, Http, JSON, NO_CACHE, RESPOND_ASYNC};
use crate::harness::reports::export_of;
use crate::harness::values::text;
use crate::harness::wide::{WIDE_ROWS, first_lines, first_rows};

/// Clients that work at the same time.
const CLIENTS: usize = 3;
/// Rows of what is answered at once.
const FEW_ROWS: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_shows_no_fault_and_loses_no_export() {
    let mut server = Disturbed::start(|launch| {
        launch
            .processes(2, 2)
            // Less than a large export takes: some are handed back.
            .env("SHUTDOWN__GRACE_SECONDS", 1)
    });
    let service = Arc::new(Service::default());
    service.is_at(&server);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| tokio::spawn(Arc::clone(&service).use_it(number)))
        .collect();
    for role in ["worker", "api"] {
        for name in server.server.names_of(role) {
            server.server.start_another(role);
            service.is_at(&server);
            // Clients do not know yet that the old one is going.
            let status = server.server.terminate_one(&name);
            assert_eq!(status.code(), Some(0), "{name}: {status}");
            service.is_at(&server);
        }
    }
    service.stop.store(true, Ordering::Relaxed);
    for client in clients {
        for accepted in client.await.expect("a client that saw no fault") {
            server.account_for(accepted);
        }
    }
    for export in server.settled().await {
        assert_eq!(export["attempt"], 1, "a restart is no failure: {export:#}");
    }
}

/// Where the service is, as a load balancer knows it.
#[derive(Default)]
struct Service {
    apis: Mutex<Vec<Arc<Http>>>,
    stop: AtomicBool,
}

impl Service {
    fn is_at(&self, server: &Disturbed) {
        let apis = server.server.each_http().into_iter().map(Arc::new);
        *self.apis.lock() = apis.collect();
    }

    /// Reports and exports in turns, until it is enough; returns the exports.
    async fn use_it(self: Arc<Self>, number: usize) -> Vec<Accepted> {
        let mut made = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let turn = number + made.len();
            let report = export_of(&first_rows(FEW_ROWS));
            let answer = self.ask(turn, "POST", EXPORT, &[JSON], &report).await;
            assert!(answer.content() == first_lines(FEW_ROWS), "a report");

            let rows = if turn.is_multiple_of(2) {
                WIDE_ROWS
            } else {
                FEW_ROWS
            };
            let headers = [JSON, RESPOND_ASYNC, NO_CACHE];
            let export = export_of(&first_rows(rows));
            let accepted = self.ask(turn, "POST", EXPORT, &headers, &export).await;
            let id = text(&accepted.accepted()["id"]);
            let target = format!("/v1/exports/{id}");
            let mut status = Value::Null;
            while status != "completed" {
                let wait = [("prefer", "wait=5")];
                let answer = self.ask(turn, "GET", &target, &wait, &Value::Null).await;
                status = answer.export()["status"].clone();
            }
            made.push(Accepted::new(&id, rows));
        }
        made
    }

    /// The answer of one of the APIs. One that takes no connection, or ended one that was idle, is
    /// passed over, as a load balancer does; a faulty or broken answer is not.
    async fn ask(
        &self,
        turn: usize,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        for next in turn.. {
            let api = {
                let apis = self.apis.lock();
                Arc::clone(&apis[next % apis.len()])
            };
            match api
                .try_send(method, target, headers, body.to_string())
                .await
            {
                Ok(answer) => {
                    assert!(answer.status < 500, "{answer:?}");
                    return answer;
                }
                Err(error) => assert!(error.is_connect() || error.is_request(), "{error:?}"),
            }
        }
        unreachable!("there is always another turn")
    }
}
