//! The export that a request's path names.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use serde_json::json;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{Object, Required, Type};
use waybill_ledger::export::ExportId;

use crate::middleware::request_span;
use crate::problem::{Problem, ProblemCode};

/// The id in the path of a request. What is no id, or not even text, is an export that does not exist.
pub(crate) struct ExportPath(pub(crate) ExportId);

impl<S: Send + Sync> FromRequestParts<S> for ExportPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = Path::<String>::from_request_parts(parts, state).await;
        let id = id.ok().and_then(|Path(id)| id.parse().ok());
        let id = id.ok_or_else(not_found)?;
        request_span::record_export(id);
        Ok(Self(id))
    }
}

impl IntoParams for ExportPath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let id = ParameterBuilder::new()
            .name("id")
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some("The export's id."))
            .schema(Some(Object::with_type(Type::String)))
            .example(Some(json!("export_0196f0a2b8f97c3e9d51c2a4e6f80b13")));
        vec![id.build()]
    }
}

/// Says that the caller has no export of this id; whether somebody else has, is not told.
pub(crate) fn not_found() -> Problem {
    Problem::new(
        ProblemCode::ExportNotFound,
        "There is no export of this id.",
    )
}
