//! What stands around every page, and the headers that keep it to itself.

use axum::response::{Html, IntoResponse, Response};
use http::HeaderValue;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, InvalidHeaderValue, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use uuid::Uuid;

const STYLE: &str = include_str!("style.css");

/// Returns the page with this title and body.
///
/// # Errors
/// Never in fact: the policy is made of letters that a header may hold.
pub(crate) fn page(title: &str, body: &Markup) -> Result<Response, InvalidHeaderValue> {
    // The one inline style is named by a nonce, so that no other one applies.
    let nonce = Uuid::new_v4().simple().to_string();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style nonce=(nonce) { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let headers = [
        (CONTENT_SECURITY_POLICY, HeaderValue::try_from(policy)?),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Html(page.into_string())).into_response())
}
