//! The store's gate: requests that a browser may not send here are refused as S3 refuses.
//!
//! Links are signed, so whoever has one may read its file. What the gate keeps out is a page that reaches
//! the store by a rebound name, or asks from another site; a link that somebody follows passes.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use s3s::{Body, HttpResponse};
use waybill_api::{Gate, Refusal};

/// Returns the gate of a store at `url`, for clients that also know it by `public_url`. Pages of the API,
/// which listens at this port, may ask. Where it asks for keys, any name and any page is as good as another.
pub(crate) fn gate(
    asks_for_keys: bool,
    url: &str,
    public_url: Option<&str>,
    api_port: u16,
) -> Gate {
    if asks_for_keys {
        return Gate::open();
    }
    Gate::guarded([url].into_iter().chain(public_url))
        .of_pages_at(api_port)
        .opening_links()
}

/// Returns the answer to a request that may not pass, `None` where it may.
pub(super) fn refused<B>(gate: &Gate, request: &Request<B>) -> Option<HttpResponse> {
    let refusal = gate.judge(request).err()?;
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
    Some(response)
}
