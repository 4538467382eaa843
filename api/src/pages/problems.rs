//! The page that a problem's `type` leads to, and the list of all of them.

use std::fmt::Write as _;

use super::{escape, prose};
use crate::problem::ProblemCode;

/// Writes what a code means, and links to the others.
pub(crate) fn page(code: ProblemCode, out: &mut String) {
    let explanation = code.explanation();
    let status = explanation.status;
    let kind = if status.is_server_error() {
        "failed"
    } else {
        "refused"
    };
    let reason = status.canonical_reason().unwrap_or_default();
    let _ = write!(
        out,
        "<div class=\"frame narrow\"><main><h1>{title}</h1>\
         <p><span class=\"status {kind}\">{status} {reason}</span> <code>{name}</code></p><h2>When it happens</h2>",
        title = escape(explanation.title),
        status = status.as_u16(),
        name = explanation.name,
    );
    prose(explanation.meaning, out);
    out.push_str("<h2>What to do</h2>");
    prose(explanation.remedy, out);
    if code.is_passing() {
        prose(
            "This passes: the answer says in `Retry-After`, and equally in `retry_after_seconds`, after how many seconds to come back.",
            out,
        );
    }
    out.push_str("<h2>Other problems</h2>");
    let others = ProblemCode::ALL.into_iter().filter(|other| *other != code);
    table(others, "", out);
    out.push_str("</main></div>");
}

/// Writes the list of all problems.
pub(crate) fn list(out: &mut String) {
    out.push_str("<div class=\"frame narrow\"><main><h1>Problems</h1>");
    prose(
        "Whatever goes wrong is answered with a document that has one of these codes.",
        out,
    );
    table(ProblemCode::ALL.into_iter(), "problems/", out);
    out.push_str("</main></div>");
}

/// Writes a table of problems, whose pages lie under this path.
fn table(codes: impl Iterator<Item = ProblemCode>, path: &str, out: &mut String) {
    out.push_str("<table>");
    for code in codes {
        let explanation = code.explanation();
        let _ = write!(
            out,
            "<tr><th><a href=\"{path}{name}\"><code>{name}</code></a></th><td>{title}</td></tr>",
            name = explanation.name,
            title = escape(explanation.title),
        );
    }
    out.push_str("</table>");
}
