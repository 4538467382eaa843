//! What links begin with, and where things are.
//!
//! `api.public_url` if it is set; else what the request says: its scheme and host, and `/api` when it
//! came by that path. Forwarding headers are not believed: anyone can send them.

pub(crate) mod action;

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts, OriginalUri};
use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use waybill_ledger::export::ExportId;

use self::action::{Action, AllowedAction, operation};

/// The second place where every route of `/v1` is served.
pub(crate) const API_PREFIX: &str = "/api";

const EXPORT_REQUEST: &str = "/openapi.json#/components/schemas/ExportReportQueryRequest";

/// What every link begins with, whatever the request says; `None` = what the request says.
#[derive(Clone, Debug)]
pub(crate) struct PublicUrl(pub(crate) Option<Arc<str>>);

/// Makes the links of one answer.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    base: String,
}

impl Links {
    fn of_request(parts: &Parts, public_url: Option<&str>) -> Self {
        if let Some(base) = public_url {
            return Self {
                base: base.trim_end_matches('/').to_owned(),
            };
        }
        let original = parts.extensions.get::<OriginalUri>();
        let uri = original.map_or(&parts.uri, |original| &original.0);
        let prefix = if uri.path().starts_with("/api/") {
            API_PREFIX
        } else {
            ""
        };
        let host = parts
            .headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .and_then(|host| host.parse::<Authority>().ok())
            .or_else(|| uri.authority().cloned());
        let base = match host {
            Some(host) => format!("{}://{host}{prefix}", uri.scheme_str().unwrap_or("http")),
            // HTTP/1.0 knows no host; a path is a link too.
            None => prefix.to_owned(),
        };
        Self { base }
    }

    /// Returns what every link begins with, without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn export(&self, id: ExportId) -> String {
        format!("{}/v1/exports/{id}", self.base)
    }

    pub(crate) fn download(&self, id: ExportId) -> String {
        format!("{}/download", self.export(id))
    }

    /// Returns how to read the export again.
    pub(crate) fn self_action(&self, id: ExportId) -> AllowedAction {
        Action::Itself
            .of(operation::GET_EXPORT)
            .get(self.export(id))
    }

    /// Returns how to download its file.
    pub(crate) fn download_action(&self, id: ExportId) -> AllowedAction {
        Action::Download
            .of(operation::DOWNLOAD_EXPORT)
            .get(self.download(id))
    }

    /// Returns how to stop it for good.
    pub(crate) fn cancel_action(&self, id: ExportId) -> AllowedAction {
        Action::Cancel
            .of(operation::CANCEL_EXPORT)
            .post(format!("{}/cancel", self.export(id)))
    }

    /// Returns how to remove it and its file.
    pub(crate) fn delete_action(&self, id: ExportId) -> AllowedAction {
        Action::Delete
            .of(operation::DELETE_EXPORT)
            .delete(self.export(id))
    }

    /// Returns how to be told of its changes.
    pub(crate) fn events_action(&self, id: ExportId) -> AllowedAction {
        Action::Events
            .of(operation::STREAM_EXPORT_EVENTS)
            .get(format!("{}/events", self.export(id)))
    }

    /// Returns how to ask for a new export.
    pub(crate) fn export_again(&self) -> AllowedAction {
        Action::Retry
            .of(operation::EXPORT_REPORT_QUERY)
            .post(format!("{}/v1/reports/query/export", self.base))
            .body(EXPORT_REQUEST)
    }
}

impl<S> FromRequestParts<S> for Links
where
    S: Send + Sync,
    PublicUrl: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let PublicUrl(public_url) = PublicUrl::from_ref(state);
        Ok(Self::of_request(parts, public_url.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn base(uri: &str, host: Option<&str>, public_url: Option<&str>) -> String {
        let mut request = Request::builder().uri(uri);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        Links::of_request(&parts, public_url).base
    }

    #[test]
    fn links_begin_with_what_the_request_says() {
        assert_eq!(base("/v1/exports", Some("a:80"), None), "http://a:80");
        assert_eq!(base("/api/v1/exports", Some("a"), None), "http://a/api");
        assert_eq!(base("https://b/v1/exports", None, None), "https://b");
        assert_eq!(base("/api/v1/exports", None, None), "/api");
        assert_eq!(base("/v1/exports", Some("no host"), None), "");
    }

    #[test]
    fn or_with_the_public_url_alone() {
        let public = Some("https://reports.example.com/api");
        for uri in ["/v1/exports", "/api/v1/exports"] {
            assert_eq!(
                base(uri, Some("a"), public),
                "https://reports.example.com/api"
            );
        }
    }
}
