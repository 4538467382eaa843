//! The commands and bodies of the README and the other pages, pasted in their order as a newcomer would paste
//! them, and what the pages say that these give.

mod names;

use std::fmt::Display;

use crate::harness::documents::comparison::compare;
use crate::harness::documents::terminals::Terminals;
use crate::harness::documents::{Block, blocks, pages, text_of};

/// Pages with blocks that have a test of their own here, so that they are walked at the same time.
const WALKED: [&str; 5] = [
    "README.md",
    "docs/API.md",
    "docs/CATALOG.md",
    "docs/FORMATS.md",
    "examples/README.md",
];

/// What is not run, with the reason that the page gives.
const LEFT_OUT: [(&str, &str); 7] = [
    ("README.md", "it runs this"),
    ("docs/BENCHMARKS.md", "it takes an hour"),
    ("docs/CONTRIBUTING.md", "it builds the workspace"),
    ("docs/CONTRIBUTING.md", "it builds the workspace"),
    ("docs/OPERATING.md", "needs docker"),
    ("docs/OPERATING.md", "names a key of yours"),
    ("docs/SECURITY.md", "an expression"),
];

/// Lines of the README at most: one screen, and five minutes.
const README_LINES: usize = 300;

#[derive(Debug, Default, PartialEq, Eq)]
struct Walked {
    services: usize,
    compared: usize,
}

/// Pastes the blocks of a page, one after the other. A block that is neither run nor compared is a fault.
fn walk(page: &str) -> Walked {
    let mut terminals = Terminals::new();
    let mut left_out = Vec::new();
    let mut printed: Option<String> = None;
    let mut compared = 0;
    for block in blocks(page) {
        // Those are for the other deployment.
        if block.is_of_own_installation() {
            printed = None;
            continue;
        }
        if let Some(reason) = block.left_out() {
            left_out.push(reason.to_owned());
            printed = None;
        } else if let Some((name, behind)) = block.file() {
            terminals.write(&block, name, behind);
        } else if let Some((method, path, status)) = block.request() {
            printed = Some(terminals.send(&block, method, path, status));
        } else {
            match block.language.as_str() {
                "sh" => printed = terminals.run(&block),
                "mermaid" => is_a_diagram(&block),
                "json" if block.comment() == Some("for the store") => is_json(&block),
                "json" | "text" => {
                    let printed = printed.as_deref();
                    compare(&block, expected(printed, &block.at, "is nothing's output"));
                    compared += 1;
                }
                language => panic!("{}: who checks {language}?", block.at),
            }
        }
    }
    let reasons = LEFT_OUT.iter().filter(|(of, _)| *of == page);
    let reasons: Vec<&str> = reasons.map(|(_, reason)| *reason).collect();
    assert_eq!(left_out, reasons, "left out of {page}");
    Walked {
        services: terminals.services(),
        compared,
    }
}

#[track_caller]
fn expected<T>(found: Option<T>, at: &str, otherwise: impl Display) -> T {
    found.unwrap_or_else(|| panic!("{at}: {otherwise}"))
}

fn is_a_diagram(block: &Block) {
    let kind = block.text.split_whitespace().next();
    let known = ["flowchart", "sequenceDiagram", "stateDiagram-v2"];
    assert!(
        kind.is_some_and(|kind| known.contains(&kind)),
        "{}",
        block.at
    );
}

fn is_json(block: &Block) {
    let read = serde_json::from_str::<serde_json::Value>(&block.text);
    assert!(read.is_ok(), "{}: {read:?}", block.at);
}

#[test]
fn the_readme_does_what_it_says() {
    let walked = walk("README.md");
    assert_eq!(walked.services, 1, "services of the README");
    assert!(walked.compared >= 5, "{walked:?}");
}

#[test]
fn the_api_is_as_its_page_says() {
    let walked = walk("docs/API.md");
    assert!(walked.compared >= 9, "{walked:?}");
}

#[test]
fn catalogs_are_as_their_page_says() {
    let walked = walk("docs/CATALOG.md");
    assert_eq!(walked.services, 1, "a shop");
    assert!(walked.compared >= 3, "{walked:?}");
}

#[test]
fn formats_are_as_their_page_says() {
    let walked = walk("docs/FORMATS.md");
    assert!(walked.compared >= 2, "{walked:?}");
}

#[test]
fn the_examples_run_as_their_page_says() {
    let walked = walk("examples/README.md");
    assert_eq!(walked.compared, 1, "what they print");
}

#[test]
fn the_other_pages_do_what_they_say() {
    let others = pages().into_iter();
    for page in others.filter(|page| !WALKED.contains(&page.as_str())) {
        walk(&page);
    }
}

#[test]
fn the_readme_is_short() {
    let lines = text_of("README.md").lines().count();
    assert!(
        lines <= README_LINES,
        "{lines} lines; docs/ has room for more"
    );
}
