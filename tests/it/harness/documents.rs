//! The pages of the repository, what is in their blocks, and terminals to paste those into.
//!
//! Every block is run as it stands, or held against what the block before it printed. What a block needs
//! besides is said by a comment in front of it, which nobody sees on the rendered page:
//!
//! * `<!-- a terminal of its own, at HOST:PORT -->`: it goes on running, and serves the rest there;
//! * `<!-- a service, at HOST:PORT: COMMAND -->`, without a block: what the rest of the page takes for granted;
//! * `<!-- METHOD /PATH: STATUS -->`: it is the body of such a request to the service, which answers so;
//! * `<!-- file: NAME -->` and `<!-- added to: NAME -->`: it is written to this file;
//! * `<!-- for the store -->`: it is a document for somebody else, and has to be JSON;
//! * `<!-- own installation -->`: it is about databases and a store of the reader's own;
//! * `<!-- left out: REASON -->`: it is not run.

pub(crate) mod comparison;
pub(crate) mod terminals;

use std::fs;
use std::path::{Path, PathBuf};

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("a folder above").to_owned()
}

/// Where the pages are, by their paths from the top, sorted.
pub(crate) fn pages() -> Vec<String> {
    let mut pages: Vec<String> = [
        "README.md",
        "CHANGELOG.md",
        "migrations/README.md",
        "examples/README.md",
    ]
    .map(str::to_owned)
    .to_vec();
    let entries = fs::read_dir(root().join("docs")).expect("a folder of documents");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.to_str().expect("a name in UTF-8").to_owned());
    pages.extend(
        names
            .filter(|name| name.ends_with(".md"))
            .map(|name| format!("docs/{name}")),
    );
    pages.sort();
    pages
}

/// The text of a page.
pub(crate) fn text_of(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// A fenced block, or a comment that stands for one.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) language: String,
    pub(crate) text: String,
    /// The comment right in front of it.
    comment: Option<String>,
    /// The page and the line where it begins.
    pub(crate) at: String,
}

impl Block {
    /// Why it is not run.
    pub(crate) fn left_out(&self) -> Option<&str> {
        self.comment()?.strip_prefix("left out: ")
    }

    /// Where what it starts is to be found.
    pub(crate) fn place(&self) -> Option<&str> {
        let (_, place) = self.comment()?.split_once("a terminal of its own, at ")?;
        Some(place)
    }

    /// Whether it is about an installation of the reader's own.
    pub(crate) fn is_of_own_installation(&self) -> bool {
        self.comment()
            .is_some_and(|comment| comment.starts_with("own installation"))
    }

    /// The file that it is, and whether it comes behind what is in it.
    pub(crate) fn file(&self) -> Option<(&str, bool)> {
        let comment = self.comment()?;
        let whole = comment.strip_prefix("file: ").map(|name| (name, false));
        whole.or_else(|| Some((comment.strip_prefix("added to: ")?, true)))
    }

    /// The request that it is the body of: its method, its path, and the status of the answer.
    pub(crate) fn request(&self) -> Option<(&str, &str, &str)> {
        let (request, status) = self.comment()?.split_once(": ")?;
        let (method, path) = request.split_once(" /")?;
        let is_method = method.bytes().all(|letter| letter.is_ascii_uppercase());
        is_method.then_some((method, path, status))
    }

    /// The comment itself.
    pub(crate) fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }
}

/// A page's blocks, in their order.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let text = text_of(page);
    let mut blocks = Vec::new();
    let mut lines = text.lines().zip(1..);
    let mut before = "";
    while let Some((line, number)) = lines.next() {
        let at = format!("{page}:{number}");
        if let Some(service) = comment_of(line).and_then(|it| it.strip_prefix("a service, at ")) {
            let (place, command) = service.split_once(": ").expect("a place and a command");
            blocks.push(Block {
                language: "sh".to_owned(),
                text: format!("{command}\n"),
                comment: Some(format!("a terminal of its own, at {place}")),
                at,
            });
            continue;
        }
        let Some(language) = line.strip_prefix("```") else {
            before = line;
            continue;
        };
        let text: Vec<&str> = lines
            .by_ref()
            .map(|(line, _)| line)
            .take_while(|line| *line != "```")
            .collect();
        blocks.push(Block {
            language: language.to_owned(),
            text: text.join("\n") + "\n",
            comment: comment_of(before).map(str::to_owned),
            at,
        });
        before = "";
    }
    blocks
}

fn comment_of(line: &str) -> Option<&str> {
    line.strip_prefix("<!-- ")?.strip_suffix(" -->")
}
