//! Panics of handlers, which end as failures of ours and not as cut connections.

use std::any::Any;

use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::ResponseForPanic;

use crate::problem::Problem;

/// Answers a panic with `internal`; its text is the cause, which only the log has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PanicProblem;

impl ResponseForPanic for PanicProblem {
    type ResponseBody = axum::body::Body;

    fn response_for_panic(&mut self, panic: Box<dyn Any + Send>) -> Response {
        let text = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("without a text");
        Problem::internal(format!("a handler panicked: {text}")).into_response()
    }
}
