//! Everything that goes wrong, as a client reads it: RFC 9457 `application/problem+json`.
//!
//! The only place that chooses a status code. Handlers and the parts below them say what happened;
//! here it becomes a code, a text for the client and a cause for the operator, which are never the
//! same text. Who writes the answer and the log is the [`boundary`](crate::middleware::boundary).
//!
//! # Which error to use when
//! | what happened | use |
//! |---|---|
//! | an error of the ledger, the store, a source, the keys | `?`: [`causes`] knows its code |
//! | faults of a request, all of them at once | [`Problem::invalid`], with [`Problem::parameter`] and [`Problem::header`] for what is not in the body |
//! | a rule of this service refuses | [`Problem::new`] with its code, and a `detail` that says what this time |
//! | it may succeed later | the same with [`Problem::retry_after`], from [`crate::retry_after`] alone |
//! | something can be done about it | the same with [`Problem::allow`], or [`Problem::of_operation`] to send it again |
//! | no key, or none in force | [`Problem::unauthorized`]; which of the two is nobody's business |
//! | what exists for somebody else | the same as what does not exist |
//! | a fault of ours | [`Problem::internal`] with the cause; the client gets the request id and nothing else |
//!
//! A new code is a row of the table in [`code`], named with the operation that raises it in `problems!`.

mod causes;
pub(crate) mod code;
pub(crate) mod document;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderName, HeaderValue, StatusCode};
use waybill_report::query::{Fault, FaultCode};

use self::document::ErrorResponse;
use crate::links::action::{Action, AllowedAction};
use crate::retry_after;

pub(crate) use self::code::ProblemCode;

type Cause = Box<dyn StdError + Send + Sync>;

/// What went wrong with one request.
#[derive(Debug)]
pub(crate) struct Problem(Box<Occurrence>);

#[derive(Debug)]
struct Occurrence {
    code: ProblemCode,
    /// For the client; never an internal.
    detail: String,
    retry_after_seconds: Option<u64>,
    allowed_actions: Vec<AllowedAction>,
    errors: Vec<Fault>,
    missing: Vec<String>,
    /// What else the answer says in its head.
    header: Option<(HeaderName, HeaderValue)>,
    /// For the operator; never sent.
    cause: Option<Cause>,
}

impl Problem {
    /// Returns a problem of this code; `detail` says what happened this time.
    pub(crate) fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self(Box::new(Occurrence {
            code,
            detail: detail.into(),
            retry_after_seconds: None,
            allowed_actions: Vec::new(),
            errors: Vec::new(),
            missing: Vec::new(),
            header: None,
            cause: None,
        }))
    }

    /// Reports faults of a request; `invalid_request` when it could not be read at all, else `invalid_query`.
    pub(crate) fn invalid(faults: Vec<Fault>) -> Self {
        let unreadable = faults
            .iter()
            .all(|fault| fault.code == FaultCode::InvalidRequest);
        let code = if unreadable {
            ProblemCode::InvalidRequest
        } else {
            ProblemCode::InvalidQuery
        };
        let first = faults.first().map_or_else(String::new, |fault| {
            if fault.pointer.is_empty() {
                fault.detail.clone()
            } else {
                format!("{}: {}", fault.pointer, fault.detail)
            }
        });
        let detail = match faults.len() {
            0 | 1 => first,
            faults => format!("{faults} faults, all of them in errors; the first is {first}"),
        };
        let mut problem = Self::new(code, detail);
        problem.0.errors = faults;
        problem
    }

    /// Returns a fault of one query parameter.
    pub(crate) fn parameter(name: &str, detail: impl Into<String>) -> Fault {
        let name = name.replace('~', "~0").replace('/', "~1");
        Fault::new(
            format!("/query-parameters/{name}"),
            FaultCode::InvalidRequest,
            detail,
        )
    }

    /// Returns a fault of one request header.
    pub(crate) fn header(name: &str, detail: impl Into<String>) -> Fault {
        Fault::new(
            format!("/headers/{name}"),
            FaultCode::InvalidRequest,
            detail,
        )
    }

    pub(crate) fn internal(cause: impl Into<Cause>) -> Self {
        Self::new(
            ProblemCode::Internal,
            "The service failed. Its operator finds the cause under the request id.",
        )
        .caused_by(cause)
    }

    /// Says that the caller showed no key, or one that is not good. Which of the two is nobody's business.
    pub(crate) fn unauthorized() -> Self {
        Self::new(
            ProblemCode::Unauthorized,
            "An API key is needed: `Authorization: Bearer <key>`, with a key that is in force.",
        )
    }

    /// Says that nobody can tell in time whether a key is in force.
    pub(crate) fn keys_are_late() -> Self {
        Self::unavailable("The database of API keys cannot be used at the moment.")
    }

    /// Says that a database does not serve, which may pass.
    fn unavailable(detail: &str) -> Self {
        Self::new(ProblemCode::DatabaseUnavailable, detail).retry_after(retry_after::dependency())
    }

    /// Returns whether the caller has no key in force.
    pub(crate) fn is_unauthorized(&self) -> bool {
        self.0.code == ProblemCode::Unauthorized
    }

    /// Returns what happened, for the log.
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }

    pub(crate) fn caused_by(mut self, cause: impl Into<Cause>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Returns the same with a header, if it has a value.
    pub(crate) fn with_header(mut self, name: HeaderName, value: Option<HeaderValue>) -> Self {
        self.0.header = value.map(|value| (name, value));
        self
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after_seconds = Some(seconds);
        self
    }

    pub(crate) fn allow(mut self, action: AllowedAction) -> Self {
        self.0.allowed_actions.push(action);
        self
    }

    /// Returns the same, with what to do about it: to send the operation again, later or corrected.
    pub(crate) fn of_operation(self, operation_id: impl Into<Cow<'static, str>>) -> Self {
        if self.0.retry_after_seconds.is_some() {
            self.allow(Action::RetryLater.of(operation_id))
        } else if !self.0.errors.is_empty() {
            let corrected = Action::Retry.of(operation_id);
            self.allow(corrected.hint("Correct every entry of errors first."))
        } else {
            self
        }
    }

    pub(crate) fn code(&self) -> ProblemCode {
        self.0.code
    }

    pub(crate) fn cause(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.0.cause.as_deref()
    }

    /// Returns the document, for a request to this path.
    pub(crate) fn document(&self, instance: &str, request_id: &str) -> ErrorResponse {
        let Occurrence {
            code,
            detail,
            retry_after_seconds,
            allowed_actions,
            errors,
            missing,
            header: _,
            cause: _,
        } = &*self.0;
        ErrorResponse {
            retry_after_seconds: *retry_after_seconds,
            allowed_actions: allowed_actions.clone(),
            errors: errors.clone(),
            missing: missing.clone(),
            request_id: (*code == ProblemCode::Internal).then(|| request_id.to_owned()),
            ..ErrorResponse::new(*code, detail, instance.to_owned())
        }
    }

    /// Returns the problem behind an answer that no handler gave: a router's or a library's own.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::new(
                ProblemCode::RouteNotFound,
                "Nothing is served at this path.",
            ),
            StatusCode::METHOD_NOT_ALLOWED => Self::new(
                ProblemCode::MethodNotAllowed,
                "This path takes other methods; the Allow header lists them.",
            ),
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(
                ProblemCode::PayloadTooLarge,
                "The body of the request is too large.",
            ),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::new(
                ProblemCode::UnsupportedMediaType,
                "The body of the request is not declared to be JSON.",
            ),
            status if status.is_client_error() => {
                Self::new(ProblemCode::InvalidRequest, "The request cannot be read.")
            }
            status => Self::internal(format!("an answer of status {status} without a problem")),
        }
    }
}

/// Leaves the writing to the boundary, which knows the request.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.0.code.status().into_response();
        if self.0.code == ProblemCode::Unauthorized {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        }
        if let Some((name, value)) = self.0.header.clone() {
            response.headers_mut().insert(name, value);
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}
