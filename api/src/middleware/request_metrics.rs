//! Counts and measures requests, by the operation of the OpenAPI document that they are of.
//!
//! The outermost layer, around the one that writes problems: it sees each answer as the client does. A
//! request whose client leaves before the answer is counted as well.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use utoipa::openapi::OpenApi;

use crate::metrics::requests::{OperationMetrics, RequestMetrics};
use crate::openapi::operations::Operations;

/// The operation of requests to no route, or with a method that their route has not.
const NONE: &str = "none";

/// What is measured of each operation.
#[derive(Debug)]
pub(crate) struct MeasuredOperations {
    metrics: RequestMetrics,
    of_routes: Operations<OperationMetrics>,
    none: OperationMetrics,
}

impl MeasuredOperations {
    /// Measures the operations of this document.
    pub(crate) fn new(metrics: RequestMetrics, document: &OpenApi) -> Self {
        Self {
            of_routes: Operations::of(document, |id| metrics.operation(id)),
            none: metrics.operation(NONE),
            metrics,
        }
    }
}

/// Has a request answered, and measures that.
pub(crate) async fn measured(
    State(operations): State<Arc<MeasuredOperations>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let operation = path
        .and_then(|path| operations.of_routes.get(request.method(), path.as_str()))
        .unwrap_or(&operations.none);
    let mut measurement = operations.metrics.begin(operation, request.method());
    let response = next.run(request).await;
    measurement.see(&response);
    response
}
