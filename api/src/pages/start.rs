//! The page where a visitor begins.

use maud::{Markup, html};

/// Returns links to what the service says of itself.
pub(crate) fn body() -> Markup {
    // Where they lead is told in relation to this page, wherever a proxy put it.
    let links = [
        ("docs", "Every route, for people"),
        ("openapi.json", "The same for programs"),
        ("problems", "What can go wrong, and what to do"),
        ("readyz", "Whether the service can do its work now"),
    ];
    html! {
        div class="frame narrow" {
            main {
                h1 { "Waybill" }
                p { "Exports as a service: small reports at once, large ones as a job with a link." }
                table {
                    @for (path, what) in links {
                        tr {
                            th { a href=(path) { (path) } }
                            td { (what) }
                        }
                    }
                }
            }
        }
    }
}
