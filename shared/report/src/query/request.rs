//! The body of a request, before anything of it is understood.

use serde_json::Value;

use super::document;
use super::error::{Fault, FaultCode, Rejection};
use super::pointer::Pointer;

/// The body of a request, well-formed JSON and nothing more.
#[derive(Clone, Debug)]
pub struct ReportRequest {
    pub(super) body: Value,
    /// Members that stand twice in their object.
    pub(super) repeated: Vec<Pointer>,
    pub(super) shape: Shape,
}

/// Where in the body the query stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The body is the query (`run_report_query`): answered as JSON, within the inline bounds.
    Query,
    /// The body wraps the query with a format (`export_report_query`).
    Export,
}

impl ReportRequest {
    /// Reads the body of `run_report_query`, a bare query.
    ///
    /// # Errors
    /// A fault at the document's root when the bytes are not one JSON document.
    pub fn query(body: &[u8]) -> Result<Self, Rejection> {
        Self::read(body, Shape::Query)
    }

    /// Reads the body of `export_report_query`, a query with a format.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn export(body: &[u8]) -> Result<Self, Rejection> {
        Self::read(body, Shape::Export)
    }

    /// Returns the document that was read; of a member that stands twice, the last.
    #[must_use]
    pub fn document(&self) -> &Value {
        &self.body
    }

    fn read(body: &[u8], shape: Shape) -> Result<Self, Rejection> {
        match document::read(body) {
            Ok(document) => Ok(Self {
                body: document.value,
                repeated: document.repeated,
                shape,
            }),
            Err(error) => Err(Rejection::Invalid(vec![Fault::new(
                "",
                FaultCode::InvalidRequest,
                format!("the body is not a JSON document: {error}"),
            )])),
        }
    }
}
