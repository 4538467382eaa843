//! Pages for people: one frame, one style, no script, nothing from elsewhere.
//!
//! Owns the frame and the escaping. What a page says is in the children, but what the service says of itself at
//! once is with its route.

pub(crate) mod docs;
pub(crate) mod problems;

use std::fmt::Write as _;

use axum::response::{Html, IntoResponse, Response};
use http::HeaderValue;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, InvalidHeaderValue, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use uuid::Uuid;

const STYLE: &str = include_str!("pages/style.css");

/// A page with this title; `body` writes what stands in it.
///
/// # Errors
/// Never in fact: the policy is made of letters that a header may hold.
pub(crate) fn page(
    title: &str,
    body: impl FnOnce(&mut String),
) -> Result<Response, InvalidHeaderValue> {
    // The one inline style is named by a nonce, so that no other one applies.
    let nonce = Uuid::new_v4().simple().to_string();
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style nonce=\"{nonce}\">{STYLE}</style></head><body>",
        title = escape(title),
    );
    body(&mut page);
    page.push_str("</body></html>");
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let headers = [
        (CONTENT_SECURITY_POLICY, HeaderValue::try_from(policy)?),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Html(page)).into_response())
}

/// Text as it stands in HTML, also within a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Descriptions as the document has them: paragraphs, and code between backticks.
pub(crate) fn prose(text: &str, out: &mut String) {
    for paragraph in text.split("\n\n").filter(|text| !text.trim().is_empty()) {
        // Writing to a String cannot fail, here and below.
        let _ = write!(out, "<p>{}</p>", inline(paragraph));
    }
}

/// One paragraph of [`prose`] without its tags.
pub(crate) fn inline(text: &str) -> String {
    let mut html = String::new();
    for (index, part) in text.split('`').enumerate() {
        let part = escape(part);
        if index % 2 == 1 {
            let _ = write!(html, "<code>{part}</code>");
        } else {
            html.push_str(&part);
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escapes_the_escaping() {
        assert_eq!(
            escape("<a href=\"x\">'&"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;"
        );
        assert_eq!(inline("a `<b>` c"), "a <code>&lt;b&gt;</code> c");
    }
}
