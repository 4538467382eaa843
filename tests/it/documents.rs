//! The README's commands, pasted in their order as a newcomer would paste them, and what it says they give.

use crate::harness::documents::{Terminals, blocks, compare};

/// What is not run, with the reason that the README gives.
const LEFT_OUT: [&str; 3] = ["it runs this", "needs docker", "names a key of yours"];

#[test]
fn the_readme_does_what_it_says() {
    let mut terminals = Terminals::new();
    let mut left_out = Vec::new();
    let mut printed: Option<String> = None;
    let mut compared = 0;
    for block in blocks() {
        // Those are for the other deployment.
        if block.is_of_own_installation() {
            printed = None;
            continue;
        }
        match (block.language.as_str(), block.left_out()) {
            ("sh", Some(reason)) => {
                left_out.push(reason.to_owned());
                printed = None;
            }
            ("sh", None) => printed = terminals.run(&block),
            ("json" | "text", _) => {
                if let Some(printed) = &printed {
                    compare(&block, printed);
                    compared += 1;
                }
            }
            _ => {}
        }
    }
    assert_eq!(left_out, LEFT_OUT);
    assert_eq!(terminals.services(), 2, "services of the README");
    assert!(compared >= 6, "{compared} answers of the README");
}
