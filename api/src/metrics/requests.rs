//! Requests, by the operation of the OpenAPI document that they are of. Counted by the
//! [layer](crate::middleware::request_metrics) around everything.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Instant;

use axum::response::Response;
use http::{Method, StatusCode};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Unit;
use strum::IntoEnumIterator as _;
use waybill_ledger::metrics::ProcessMetrics;

use crate::headers::PREFERENCE_APPLIED;
use crate::problem::ProblemCode;

/// Seconds: from an answer out of memory to what only a long query takes.
const SECONDS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    operation: Arc<str>,
    method: &'static str,
    status: Status,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfOperation {
    operation: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCode {
    code: &'static str,
}

/// An answer's status; `none` where the client left before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Status(Option<StatusCode>);

impl EncodeLabelValue for Status {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let status = self.0.as_ref();
        encoder.write_str(status.map_or("none", StatusCode::as_str))
    }
}

/// Counts and times of requests; a clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct RequestMetrics {
    answered: Family<Answered, Counter>,
    seconds: Family<OfOperation, Histogram>,
    in_flight: Gauge,
    problems: Family<OfCode, Counter>,
}

impl RequestMetrics {
    /// Registers those of what this process serves, once for it.
    pub(crate) fn registered(metrics: &ProcessMetrics) -> Self {
        let requests = Self {
            answered: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            in_flight: Gauge::default(),
            problems: Family::default(),
        };
        // A counter that appears with its first event hides that event from `increase`.
        for code in ProblemCode::iter() {
            drop(
                requests
                    .problems
                    .get_or_create(&OfCode { code: code.name() }),
            );
        }
        metrics.register(|registry| {
            registry.register(
                "http_requests",
                "Requests that this process answered, by operation of the OpenAPI document (none: no such route or method), method and status (none: the client left before the answer)",
                requests.answered.clone(),
            );
            registry.register_with_unit(
                "http_request_duration",
                "From a request's head to its answer's head, without requests that were held as their client wished (Prefer: wait)",
                Unit::Seconds,
                requests.seconds.clone(),
            );
            registry.register(
                "http_requests_in_flight",
                "Requests that this process has not answered yet, held ones included",
                requests.in_flight.clone(),
            );
            registry.register(
                "http_problems",
                "Problem documents that this process answered with, by their code",
                requests.problems.clone(),
            );
        });
        requests
    }

    /// Returns how many requests are not answered yet.
    pub(crate) fn in_flight(&self) -> u64 {
        u64::try_from(self.in_flight.get()).unwrap_or_default()
    }

    /// Returns how many answers had this code so far.
    pub(crate) fn problems(&self, code: ProblemCode) -> u64 {
        let counter = self.problems.get_or_create(&OfCode { code: code.name() });
        counter.get()
    }

    /// Returns what is measured of the operation of this id.
    pub(crate) fn operation(&self, id: &str) -> OperationMetrics {
        let id: Arc<str> = id.into();
        let of = OfOperation {
            operation: Arc::clone(&id),
        };
        OperationMetrics {
            seconds: self.seconds.get_or_create_owned(&of),
            id,
        }
    }

    /// Begins to measure a request of this operation.
    pub(crate) fn begin<'r>(
        &'r self,
        operation: &'r OperationMetrics,
        method: &Method,
    ) -> Measurement<'r> {
        self.in_flight.inc();
        Measurement {
            metrics: self,
            operation,
            method: name_of(method),
            began: Instant::now(),
            status: Status(None),
        }
    }
}

/// What is measured of an operation.
#[derive(Debug)]
pub(crate) struct OperationMetrics {
    id: Arc<str>,
    seconds: Histogram,
}

/// A request that is being served; counted when this is dropped, answered or not.
pub(crate) struct Measurement<'r> {
    metrics: &'r RequestMetrics,
    operation: &'r OperationMetrics,
    method: &'static str,
    began: Instant,
    status: Status,
}

impl Measurement<'_> {
    /// Notes the answer.
    pub(crate) fn see(&mut self, response: &Response) {
        self.status = Status(Some(response.status()));
        if !was_held(response) {
            let took = self.began.elapsed();
            self.operation.seconds.observe(took.as_secs_f64());
        }
        if let Some(code) = response.extensions().get::<ProblemCode>() {
            let of_code = OfCode { code: code.name() };
            self.metrics.problems.get_or_create(&of_code).inc();
        }
    }
}

impl Drop for Measurement<'_> {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
        let answered = Answered {
            operation: Arc::clone(&self.operation.id),
            method: self.method,
            status: self.status,
        };
        self.metrics.answered.get_or_create(&answered).inc();
    }
}

/// Returns whether the client asked to wait, and the answer says that this was done.
fn was_held(response: &Response) -> bool {
    let applied = response.headers().get(PREFERENCE_APPLIED);
    let applied = applied.and_then(|applied| applied.to_str().ok());
    applied.is_some_and(|applied| applied.contains("wait="))
}

/// Clients may invent methods, and labels have to be few.
fn name_of(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        _ => "other",
    }
}
