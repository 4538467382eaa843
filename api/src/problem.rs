//! Everything that goes wrong, as a client reads it: RFC 9457 `application/problem+json`.
//!
//! The only place that chooses a status code. Handlers and the parts below them say what happened;
//! here it becomes a code, a text for the client and a cause for the operator, which are never the
//! same text. Who writes the answer and the log is the [`boundary`](crate::middleware::boundary).

mod code;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use waybill_ledger::LedgerError;
use waybill_ledger::export::Failure;
use waybill_ledger::keys::KeysError;
use waybill_readiness::{NotReady, Requirement};
use waybill_report::query::{Fault, FaultCode, Rejection};
use waybill_report::source::SourceError;
use waybill_store::BucketError;

use crate::answer::attempt::InlineError;
use crate::links::action::{Action, AllowedAction};
use crate::retry_after;

pub(crate) use code::ProblemCode;

/// The media type of problems.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

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

/// A problem document (RFC 9457), the body of every answer that is neither 2xx nor 3xx.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ErrorResponse {
    /// What kind of problem, in words; the same for every occurrence of a `code`.
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What happened this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<String>,
    /// The stable code that programs go by.
    #[schema(required = false)]
    code: &'static str,
    /// A page that explains the code: `/problems/{code}`.
    #[serde(rename = "type")]
    #[schema(required = false, format = "uri-reference")]
    problem_type: String,
    /// The path of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "uri-reference")]
    instance: Option<String>,
    /// When to try again, in seconds; equal to the `Retry-After` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after_seconds: Option<u64>,
    /// What can be done about it. Where the same operation is to be sent again, `href` and `method`
    /// may be left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    allowed_actions: Vec<AllowedAction>,
    /// Every fault of the request. A `pointer` is an RFC 6901 JSON pointer into the body,
    /// `/query-parameters/{name}` for a parameter of the query string, `/headers/{name}`, or `/path`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<Fault>,
    /// What is missing when `/readyz` is not ready: `database`, `migrations`, `source …`,
    /// `catalog`, `storage`, `clock (…)`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    missing: Vec<String>,
    /// For the operator, on a 500; the same as the `x-request-id` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    request_id: Option<String>,
}

impl Problem {
    /// A problem in the words of its code.
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

    /// Faults of a request; `invalid_request` when it could not be read at all, else `invalid_query`.
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

    /// A fault of one query parameter.
    pub(crate) fn parameter(name: &str, detail: impl Into<String>) -> Fault {
        let name = name.replace('~', "~0").replace('/', "~1");
        Fault::new(
            format!("/query-parameters/{name}"),
            FaultCode::InvalidRequest,
            detail,
        )
    }

    /// A fault of one request header.
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

    /// The caller showed no key, or one that is not good. Which of the two is nobody's business.
    pub(crate) fn unauthorized() -> Self {
        Self::new(
            ProblemCode::Unauthorized,
            "An API key is needed: `Authorization: Bearer <key>`, with a key that is in force.",
        )
    }

    /// Nobody can say in time whether a key is in force.
    pub(crate) fn keys_are_late() -> Self {
        unavailable("The database of API keys cannot be used at the moment.")
    }

    /// Returns whether the caller has no key in force.
    pub(crate) fn is_unauthorized(&self) -> bool {
        self.0.code == ProblemCode::Unauthorized
    }

    /// What happened, for the log.
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }

    pub(crate) fn caused_by(mut self, cause: impl Into<Cause>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// The same with a header, if it has a value.
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

    /// The same, with what to do about it: to send the operation again, later or corrected.
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

    /// The document, for a request to this path.
    pub(crate) fn document(&self, instance: &str, request_id: &str) -> ErrorResponse {
        let explanation = self.0.code.explanation();
        ErrorResponse {
            title: explanation.title,
            status: explanation.status.as_u16(),
            detail: Some(self.0.detail.clone()),
            code: explanation.name,
            problem_type: problem_type(self.0.code),
            instance: Some(instance.to_owned()),
            retry_after_seconds: self.0.retry_after_seconds,
            allowed_actions: self.0.allowed_actions.clone(),
            errors: self.0.errors.clone(),
            missing: self.0.missing.clone(),
            request_id: (self.0.code == ProblemCode::Internal).then(|| request_id.to_owned()),
        }
    }

    /// The problem behind an answer that no handler gave: a router's or a library's own.
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

impl ErrorResponse {
    /// Why an export ended without a file; `instance` is its path.
    pub(crate) fn of_failure(
        failure: &Failure,
        instance: String,
        retry: Option<AllowedAction>,
    ) -> Self {
        let code = ProblemCode::from(failure.code);
        let explanation = code.explanation();
        Self {
            title: explanation.title,
            status: explanation.status.as_u16(),
            detail: Some(failure.detail.clone()),
            code: explanation.name,
            problem_type: problem_type(code),
            instance: Some(instance),
            retry_after_seconds: None,
            allowed_actions: retry.into_iter().collect(),
            errors: Vec::new(),
            missing: Vec::new(),
            request_id: None,
        }
    }

    /// The whole answer.
    pub(crate) fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

fn problem_type(code: ProblemCode) -> String {
    format!("/problems/{}", code.name())
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

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Invalid(faults) => Self::invalid(faults),
            Rejection::Forbidden { dataset } => Self::new(
                ProblemCode::Forbidden,
                format!("This caller may not use the dataset {dataset}."),
            ),
        }
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Unavailable(_) | LedgerError::Queue(_) | LedgerError::SchemaOutdated => {
                unavailable("The database of exports cannot be used at the moment.")
                    .caused_by(error)
            }
            LedgerError::LeaseLost(_) | LedgerError::Corrupt(_) => Self::internal(error),
        }
    }
}

impl From<KeysError> for Problem {
    fn from(error: KeysError) -> Self {
        Self::keys_are_late().caused_by(error)
    }
}

impl From<NotReady> for Problem {
    fn from(error: NotReady) -> Self {
        let missing: Vec<String> = error.missing.iter().map(Requirement::to_string).collect();
        let code = match error.missing[..] {
            [Requirement::Storage]
            | [Requirement::Clock(_)]
            | [Requirement::Storage, Requirement::Clock(_)] => ProblemCode::StorageUnavailable,
            _ => ProblemCode::DatabaseUnavailable,
        };
        let detail = format!("Not ready: {}.", missing.join(", "));
        let mut problem = Self::new(code, detail).retry_after(retry_after::dependency());
        problem.0.missing = missing;
        problem.caused_by(error)
    }
}

impl From<InlineError> for Problem {
    fn from(error: InlineError) -> Self {
        match error {
            InlineError::Source(SourceError::Unavailable(_)) => {
                unavailable("The database of this dataset cannot be used at the moment.")
                    .caused_by(error)
            }
            InlineError::Source(SourceError::Cancelled(_)) => Self::new(
                ProblemCode::QueryTimeout,
                "The database stopped the query, which took longer than it allows.",
            )
            .retry_after(retry_after::dependency())
            .caused_by(error),
            InlineError::Source(ref source) => match source.failure() {
                Some(failure) => {
                    let problem = Self::new(ProblemCode::from(failure.code), failure.detail);
                    let problem = if source.may_pass() {
                        problem.retry_after(retry_after::dependency())
                    } else {
                        problem
                    };
                    problem.caused_by(error)
                }
                None => Self::internal(error),
            },
            InlineError::Encode(ref encode) => match encode.failure() {
                Some(failure) => {
                    Self::new(ProblemCode::from(failure.code), failure.detail).caused_by(error)
                }
                None => Self::internal(error),
            },
        }
    }
}

impl From<BucketError> for Problem {
    fn from(error: BucketError) -> Self {
        match error {
            BucketError::Unavailable(_) | BucketError::Busy(..) | BucketError::Misconfigured(_) => {
                Self::new(
                    ProblemCode::StorageUnavailable,
                    "The store of files does not answer.",
                )
                .retry_after(retry_after::dependency())
                .caused_by(error)
            }
            BucketError::Refused(_) | BucketError::TooLarge => Self::internal(error),
        }
    }
}

fn unavailable(detail: &str) -> Problem {
    Problem::new(ProblemCode::DatabaseUnavailable, detail).retry_after(retry_after::dependency())
}
