//! The problem document (RFC 9457, `application/problem+json`): what a problem looks like to a client.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use waybill_ledger::export::Failure;
use waybill_report::query::Fault;

use super::code::ProblemCode;
use crate::links::action::AllowedAction;

/// The media type of problems.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// A problem document (RFC 9457), the body of every answer that is neither 2xx nor 3xx.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ErrorResponse {
    /// What kind of problem, in words; the same for every occurrence of a `code`.
    pub(super) title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub(super) status: u16,
    /// What happened this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) detail: Option<String>,
    /// The stable code that programs go by.
    #[schema(required = false)]
    pub(super) code: &'static str,
    /// A page that explains the code: `/problems/{code}`.
    #[serde(rename = "type")]
    #[schema(required = false, format = "uri-reference")]
    pub(super) problem_type: String,
    /// The path of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "uri-reference")]
    pub(super) instance: Option<String>,
    /// When to try again, in seconds; equal to the `Retry-After` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) retry_after_seconds: Option<u64>,
    /// What can be done about it. Where the same operation is to be sent again, `href` and `method`
    /// may be left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(super) allowed_actions: Vec<AllowedAction>,
    /// Every fault of the request. A `pointer` is an RFC 6901 JSON pointer into the body,
    /// `/query-parameters/{name}` for a parameter of the query string, `/headers/{name}`, or `/path`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(super) errors: Vec<Fault>,
    /// What is missing when `/readyz` is not ready: `database`, `migrations`, `source …`,
    /// `catalog`, `storage`, `clock (…)`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(super) missing: Vec<String>,
    /// For the operator, on a 500; the same as the `x-request-id` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) request_id: Option<String>,
}

impl ErrorResponse {
    /// Returns what a code says by itself, of a request or an export at this path.
    pub(super) fn new(code: ProblemCode, detail: &str, instance: String) -> Self {
        let explanation = code.explanation();
        Self {
            title: explanation.title,
            status: explanation.status.as_u16(),
            detail: Some(detail.to_owned()),
            code: code.name(),
            problem_type: format!("/problems/{}", code.name()),
            instance: Some(instance),
            retry_after_seconds: None,
            allowed_actions: Vec::new(),
            errors: Vec::new(),
            missing: Vec::new(),
            request_id: None,
        }
    }

    /// Says why an export ended without a file; `instance` is its path.
    pub(crate) fn of_failure(
        failure: &Failure,
        instance: String,
        retry: Option<AllowedAction>,
    ) -> Self {
        Self {
            allowed_actions: retry.into_iter().collect(),
            ..Self::new(ProblemCode::from(failure.code), &failure.detail, instance)
        }
    }

    /// Returns the whole answer.
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
