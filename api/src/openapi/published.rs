//! The document as it is served, made once: as JSON, and as a page.

use std::sync::Arc;

use axum::extract::MatchedPath;
use bytes::Bytes;
use http::request::Parts;
use maud::Markup;
use utoipa::openapi::OpenApi;

use super::operations::Operations;
use crate::pages::docs;

/// The document as it is served; a clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    json: Bytes,
    page: Arc<str>,
    ids: Operations<String>,
}

impl Published {
    /// Writes the document.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which its types exclude.
    pub(crate) fn new(document: &OpenApi) -> serde_json::Result<Self> {
        let value = serde_json::to_value(document)?;
        Ok(Self {
            json: serde_json::to_vec(&value)?.into(),
            page: docs::body(&value).into_string().into(),
            ids: Operations::of(document, str::to_owned),
        })
    }

    pub(crate) fn json(&self) -> Bytes {
        self.json.clone()
    }

    /// Returns the body of the page, with examples that begin with `base`.
    pub(crate) fn page(&self, base: &str) -> Markup {
        docs::with_base(&self.page, base)
    }
}

/// Returns the id of the operation that a request was routed to.
pub(crate) fn operation_of(request: &Parts) -> Option<String> {
    let path = request.extensions.get::<MatchedPath>()?.as_str();
    let published = request.extensions.get::<Published>()?;
    published.ids.get(&request.method, path).cloned()
}
