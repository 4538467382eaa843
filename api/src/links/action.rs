//! What a client may do next, as links with their operation.
//!
//! Knows the operations by name and the relations of the contract; which of them apply is said by
//! whoever has the entity or the problem.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;

/// Names of operations that actions lead to; the same as in the OpenAPI document.
pub(crate) mod operation {
    pub(crate) const EXPORT_REPORT_QUERY: &str = "export_report_query";
    pub(crate) const GET_EXPORT: &str = "get_export";
    pub(crate) const DOWNLOAD_EXPORT: &str = "download_export";
    pub(crate) const CANCEL_EXPORT: &str = "cancel_export";
    pub(crate) const DELETE_EXPORT: &str = "delete_export";
    pub(crate) const STREAM_EXPORT_EVENTS: &str = "stream_export_events";
}

/// How an action relates to the answer that it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    #[serde(rename = "self")]
    Itself,
    Cancel,
    Delete,
    Download,
    Events,
    Retry,
    RetryLater,
}

impl Action {
    /// This action by an operation, with nothing else said.
    pub(crate) fn of(self, operation_id: impl Into<Cow<'static, str>>) -> AllowedAction {
        AllowedAction {
            rel: self,
            href: None,
            method: None,
            operation_id: Some(operation_id.into()),
            hint: None,
            schema_ref: None,
        }
    }
}

/// Something that can be done next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct AllowedAction {
    /// `self`, `cancel`, `delete`, `download`, `events`, `retry` (change the request first) or
    /// `retry-later` (send it again).
    #[schema(value_type = String)]
    pub(crate) rel: Action,
    /// Where; left out where the request that was refused is to be sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "uri-reference")]
    pub(crate) href: Option<String>,
    /// The HTTP method.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) method: Option<&'static str>,
    /// The operation of the OpenAPI document.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) operation_id: Option<Cow<'static, str>>,
    /// What to mind, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) hint: Option<&'static str>,
    /// The schema of the body to send, in the OpenAPI document.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) schema_ref: Option<&'static str>,
}

impl AllowedAction {
    pub(crate) fn get(self, href: String) -> Self {
        self.by("GET", href)
    }

    pub(crate) fn post(self, href: String) -> Self {
        self.by("POST", href)
    }

    pub(crate) fn delete(self, href: String) -> Self {
        self.by("DELETE", href)
    }

    fn by(mut self, method: &'static str, href: String) -> Self {
        self.href = Some(href);
        self.method = Some(method);
        self
    }

    pub(crate) fn body(mut self, schema_ref: &'static str) -> Self {
        self.schema_ref = Some(schema_ref);
        self
    }

    pub(crate) fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }
}
