//! Entity tags (RFC 9110, section 8.8.3) and `If-None-Match`, by weak comparison.

use http::header::IF_NONE_MATCH;
use http::{HeaderMap, HeaderValue};
use waybill_ledger::export::{Export, ExportStatus};

/// Returns the weak tag of an export's state, as it is shown. Links and what passes with time (lag, hints) are
/// not part of it: they change without the export changing.
pub(crate) fn of_export(export: &Export, shown: ExportStatus) -> String {
    format!("W/\"{}\"", state(export, shown))
}

/// Returns what such a tag says: the same of two exports exactly when they are of one state.
pub(crate) fn state(export: &Export, shown: ExportStatus) -> String {
    format!("{}-{}", export.revision, shown.name())
}

/// Returns whether a client has the representation of this tag already.
pub(crate) fn matches(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = opaque(tag);
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.trim() == "*" || tags(value).any(|stated| stated == opaque))
}

/// Returns a tag as a header.
pub(crate) fn header(tag: &str) -> HeaderValue {
    HeaderValue::try_from(tag).unwrap_or_else(|_| HeaderValue::from_static("W/\"\""))
}

/// Returns the opaque part of a tag, quotes included: all that weak comparison looks at.
fn opaque(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// Returns the opaque parts of a list of tags. Ours hold no comma, so one of another server's that does is
/// torn apart without harm.
fn tags(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(opaque)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_comparison_of_lists_and_of_everything() {
        let has = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(IF_NONE_MATCH, HeaderValue::from_static(value));
            }
            matches(&headers, "W/\"7-running\"")
        };
        for values in [
            &["W/\"7-running\""][..],
            &["\"7-running\""],
            &["\"a\", W/\"7-running\""],
            &["\"a\"", "\"7-running\""],
            &["*"],
        ] {
            assert!(has(values), "{values:?}");
        }
        for values in [
            &[][..],
            &["\"7\""],
            &["7-running"],
            &["W/\"8-running\", \"\""],
            &["W/*"],
        ] {
            assert!(!has(values), "{values:?}");
        }
    }
}
