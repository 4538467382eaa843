//! Descriptions as the OpenAPI document has them: paragraphs, and code between backticks.

use maud::{Markup, html};

/// Returns the paragraphs of a description.
pub(super) fn prose(text: &str) -> Markup {
    html! {
        @for paragraph in text.split("\n\n").filter(|text| !text.trim().is_empty()) {
            p { (inline(paragraph)) }
        }
    }
}

/// Returns one paragraph of [`prose`] without its tags.
pub(super) fn inline(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escapes_the_escaping() {
        assert_eq!(
            inline("<a href=\"x\">&").into_string(),
            "&lt;a href=&quot;x&quot;&gt;&amp;"
        );
        assert_eq!(
            inline("a `<b>` c").into_string(),
            "a <code>&lt;b&gt;</code> c"
        );
        // Every attribute is written between double quotes, so an apostrophe ends none.
        let written = html! { a title=("'\">") {} }.into_string();
        assert_eq!(written, "<a title=\"'&quot;&gt;\"></a>");
    }
}
