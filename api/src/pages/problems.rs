//! The page that a problem's `type` leads to, and the list of all of them.

use maud::{Markup, html};
use strum::IntoEnumIterator as _;

use super::prose::prose;
use crate::problem::code::ProblemCode;

/// Returns what a code means, and links to the others.
pub(crate) fn explanation(code: ProblemCode) -> Markup {
    let explanation = code.explanation();
    let status = explanation.status;
    let kind = if status.is_server_error() {
        "failed"
    } else {
        "refused"
    };
    let reason = status.canonical_reason().unwrap_or_default();
    html! {
        div class="frame narrow" {
            main {
                h1 { (explanation.title) }
                p {
                    span class={ "status " (kind) } { (status.as_str()) " " (reason) }
                    " "
                    code { (code.name()) }
                }
                h2 { "When it happens" }
                (prose(explanation.meaning))
                h2 { "What to do" }
                (prose(explanation.remedy))
                @if explanation.passes {
                    (prose("This passes: the answer says in `Retry-After`, and equally in `retry_after_seconds`, after how many seconds to come back."))
                }
                h2 { "Other problems" }
                (table(ProblemCode::iter().filter(|other| *other != code), ""))
            }
        }
    }
}

/// Returns the list of all problems.
pub(crate) fn list() -> Markup {
    html! {
        div class="frame narrow" {
            main {
                h1 { "Problems" }
                (prose("Whatever goes wrong is answered with a document that has one of these codes."))
                (table(ProblemCode::iter(), "problems/"))
            }
        }
    }
}

/// Returns a table of problems, whose pages lie under this path.
fn table(codes: impl Iterator<Item = ProblemCode>, path: &str) -> Markup {
    html! {
        table {
            @for code in codes {
                tr {
                    th { a href={ (path) (code.name()) } { code { (code.name()) } } }
                    td { (code.explanation().title) }
                }
            }
        }
    }
}
