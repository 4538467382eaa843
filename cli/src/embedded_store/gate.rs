//! The store's gate: requests that a browser may not send here are refused as S3 refuses.
//!
//! Links are signed, so whoever has one may read its file. What the gate keeps out is a page that reaches
//! the store by a rebound name, or asks from another site; a link that somebody follows passes.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use s3s::{Body, HttpResponse};
use waybill_api::{Gate, Refusal};
use waybill_config::{AuthMode, Config};

/// Returns the gate of a store at `url`, for clients that may know it by another name. Pages of the API,
/// which listens at this port, may ask, and those that may ask the API. Where it asks for keys, any name and
/// any page is as good as another.
pub(crate) fn gate(config: &Config, url: &str, api_port: u16) -> Gate {
    let public_url = config.storage.public_endpoint.as_deref();
    let gate = match config.auth.mode {
        AuthMode::Keys => Gate::open(),
        AuthMode::None => Gate::guarded([url].into_iter().chain(public_url)).of_pages_at(api_port),
    };
    let allowed = config.api.allowed_origins.iter().map(String::as_str);
    gate.opening_links().allowing(allowed)
}

/// Has a request answered if it may pass, and tells its page what it may read.
pub(super) async fn guarded<B, E>(
    gate: Gate,
    request: Request<B>,
    answer: impl AsyncFnOnce(Request<B>) -> Result<HttpResponse, E>,
) -> Result<HttpResponse, E> {
    if let Err(refusal) = gate.judge(&request) {
        return Ok(refused(&refusal));
    }
    let cors = gate.cors(&request);
    let mut response = if cors.answers() {
        let mut granted = Response::new(Body::empty());
        *granted.status_mut() = StatusCode::NO_CONTENT;
        granted
    } else {
        answer(request).await?
    };
    cors.grant(response.headers_mut());
    Ok(response)
}

/// The answer to a request that may not pass.
fn refused(refusal: &Refusal) -> HttpResponse {
    let (status, code) = match refusal {
        Refusal::Host(_) => (StatusCode::BAD_REQUEST, "InvalidRequest"),
        Refusal::Misdirected => (StatusCode::MISDIRECTED_REQUEST, "MisdirectedRequest"),
        Refusal::CrossSite => (StatusCode::FORBIDDEN, "AccessDenied"),
    };
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{refusal}</Message></Error>"
    );
    let mut response = Response::new(Body::from(document));
    *response.status_mut() = status;
    let xml = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(CONTENT_TYPE, xml);
    response
}
