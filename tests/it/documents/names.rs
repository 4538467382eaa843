//! What the pages name is there: links, files, tests, settings, metrics, routes and codes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::harness::documents::{pages, root, text_of};
use crate::harness::server::shared;

/// Files that a reader makes.
const OF_THE_READER: [&str; 3] = ["shop.toml", "waybill.toml", "draft.toml"];

/// Kinds of files that the repository has.
const KINDS: [&str; 9] = ["rs", "md", "toml", "sh", "py", "mjs", "sql", "yaml", "lock"];

/// A page without what its fenced blocks hold.
fn prose(page: &str) -> String {
    let mut fenced = false;
    let text = text_of(page);
    let lines = text.lines().filter(|line| {
        let fence = line.starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What stands between backticks in a page's prose.
fn code_spans(page: &str) -> Vec<String> {
    let prose = prose(page);
    let spans = prose.split('`').skip(1).step_by(2);
    spans.map(|span| span.replace('\n', " ")).collect()
}

/// Fails with everything that is not there, not with the first of it.
#[track_caller]
fn nothing_is_missing(missing: &BTreeSet<String>) {
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn no_link_leads_nowhere() {
    let mut missing = BTreeSet::new();
    for page in pages() {
        let prose = prose(&page);
        let targets = prose.split("](").skip(1);
        for target in targets.filter_map(|rest| rest.split_once(')').map(|(target, _)| target)) {
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let folder = Path::new(&page).parent().expect("a folder");
            let file = match file {
                "" => root().join(&page),
                file => root().join(folder).join(file),
            };
            let leads = file.exists()
                && (anchor.is_empty()
                    || anchors(&fs::read_to_string(&file).unwrap_or_default()).contains(anchor));
            if !leads {
                missing.insert(format!("{page}: {target}"));
            }
        }
    }
    nothing_is_missing(&missing);
}

/// The anchors that GitHub gives to headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|heading| {
            let title = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn every_named_file_is_there() {
    let mut missing = BTreeSet::new();
    // Of the past the changelog may name what is gone.
    for page in pages().into_iter().filter(|page| page != "CHANGELOG.md") {
        let folder = root().join(&page).parent().expect("a folder").to_owned();
        for span in code_spans(&page) {
            let span = span.trim_start_matches("./");
            let is_path = span
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/'));
            let first = span.split('/').next().unwrap_or_default();
            let in_a_folder = span.contains('/')
                && !first.is_empty()
                && first != "target"
                && root().join(first).is_dir();
            let kind = span.rsplit_once('.').map(|(_, kind)| kind);
            let of_a_kind =
                kind.is_some_and(|kind| KINDS.contains(&kind)) && !span.starts_with('/');
            let of_the_reader = OF_THE_READER.contains(&span);
            if is_path
                && (in_a_folder || of_a_kind)
                && !of_the_reader
                && !root().join(span).exists()
                && !folder.join(span).exists()
            {
                missing.insert(format!("{page}: {span}"));
            }
        }
    }
    nothing_is_missing(&missing);
}

/// The names of all functions in the repository.
fn functions() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders: Vec<_> = ["api", "cli", "shared", "tests", "worker"]
        .map(|folder| root().join(folder))
        .to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source");
                let found = text.split("fn ").skip(1);
                let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                names.extend(
                    found.map(|rest| rest.chars().take_while(|c| is_name(*c)).collect::<String>()),
                );
            }
        }
    }
    names
}

#[test]
fn every_named_test_is_there() {
    let functions = functions();
    let mut missing = BTreeSet::new();
    for page in pages() {
        for span in code_spans(&page) {
            let name = span.strip_suffix('…').unwrap_or(&span);
            let is_sentence = name.matches('_').count() >= 4
                && !name.starts_with("waybill_")
                && name
                    .bytes()
                    .all(|letter| letter.is_ascii_lowercase() || letter == b'_');
            let is_there = if name == span {
                functions.contains(name)
            } else {
                functions.iter().any(|function| function.starts_with(name))
            };
            if is_sentence && !is_there {
                missing.insert(format!("{page}: {span}"));
            }
        }
    }
    nothing_is_missing(&missing);
}

/// The settings of `config.default.toml`, those without a default included.
fn settings() -> BTreeSet<String> {
    let text = text_of("config.default.toml");
    let mut section = "none";
    let mut settings = BTreeSet::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
            continue;
        }
        let line = line.strip_prefix('#').unwrap_or(line);
        if let Some((name, _)) = line.split_once(" = ")
            && name
                .bytes()
                .all(|letter| letter.is_ascii_lowercase() || letter == b'_')
        {
            settings.insert(format!("{section}.{name}"));
        }
    }
    settings
}

#[test]
fn every_named_setting_is_there() {
    let settings = settings();
    let sections: BTreeSet<&str> = settings
        .iter()
        .filter_map(|setting| Some(setting.rsplit_once('.')?.0))
        .collect();
    let mut missing = BTreeSet::new();
    // Names with a dot are columns there.
    for page in pages()
        .into_iter()
        .filter(|page| page != "migrations/README.md")
    {
        for span in code_spans(&page) {
            let name = span.split(' ').next().unwrap_or_default();
            let is_setting = name.rsplit_once('.').is_some_and(|(section, key)| {
                sections.contains(section)
                    && key
                        .bytes()
                        .all(|letter| letter.is_ascii_lowercase() || letter == b'_')
            });
            if is_setting && !settings.contains(name) {
                missing.insert(format!("{page}: {name}"));
            }
        }
    }
    nothing_is_missing(&missing);
}

#[test]
fn every_named_metric_is_there() {
    const GROUPS: [&str; 8] = [
        "http", "inline", "worker", "store", "rescue", "ledger", "log", "process",
    ];
    let listed = code_spans("docs/METRICS.md");
    let listed: BTreeSet<&str> = listed
        .iter()
        .filter_map(|span| span.split('{').next())
        .filter(|name| name.starts_with("waybill_"))
        .collect();
    let mut missing = BTreeSet::new();
    for page in pages().into_iter().filter(|page| page != "docs/METRICS.md") {
        for found in prose(&page).split("waybill_").skip(1) {
            let name: String = found
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            let group = name.split('_').next().unwrap_or_default();
            let name = format!("waybill_{name}");
            let is_there = match name.strip_suffix('_') {
                Some(begin) => listed.iter().any(|metric| metric.starts_with(begin)),
                None => listed.contains(name.trim_end_matches("_bucket")),
            };
            if GROUPS.contains(&group) && !is_there {
                missing.insert(format!("{page}: {name}"));
            }
        }
    }
    nothing_is_missing(&missing);
}

#[tokio::test]
async fn the_routes_of_the_api_page_are_those_of_the_service() {
    let document = shared()
        .http()
        .get("/openapi.json")
        .await
        .expect(200)
        .json();
    let mut served = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            if let Some(id) = operation["operationId"].as_str() {
                served.insert(format!("| `{} {path}` | `{id}` |", method.to_uppercase()));
            }
        }
    }
    let page = prose("docs/API.md");
    let routes = page
        .lines()
        .filter(|line| line.contains(" /") && line.starts_with("| `"));
    let told: BTreeSet<String> = routes
        .map(|line| {
            let cells: Vec<&str> = line.split('|').take(3).collect();
            cells.join("|") + "|"
        })
        .collect();
    assert_eq!(told, served);
}

#[tokio::test]
async fn the_codes_of_the_api_page_are_those_of_the_service() {
    let answer = shared().http().get("/problems").await.expect(200);
    let page = answer.text();
    let rows = page.split("problems/").skip(1);
    let served: BTreeSet<&str> = rows.filter_map(|rest| rest.split('"').next()).collect();
    assert!(served.len() > 30, "{served:?}");
    let prose = prose("docs/API.md");
    let table = prose
        .split("| status | codes |")
        .nth(1)
        .expect("a table of codes");
    let table = table.split("\n\n").next().expect("its end");
    let told: BTreeSet<&str> = table.split('`').skip(1).step_by(2).collect();
    assert_eq!(told, served);
}

/// The room of a file: its crate, and the module below that.
fn room_of(path: &str) -> &str {
    let (_, below) = path.split_once("/src/").expect("a file of a crate");
    let module = below.split(['/', '.']).next().expect("a module");
    &path[..path.len() - below.len() + module.len()]
}

#[test]
fn the_path_of_an_export_enters_each_room_once() {
    let page = prose("docs/ARCHITECTURE.md");
    let section = page
        .split("\n## The path of an export\n")
        .nth(1)
        .expect("the path");
    let section = section.split("\n## ").next().expect("its end");
    let files = section
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|span| span.ends_with(".rs"));
    let mut rooms: Vec<&str> = files.map(room_of).collect();
    assert!(rooms.len() >= 12, "{rooms:?}");
    rooms.dedup();
    let once: BTreeSet<&str> = rooms.iter().copied().collect();
    assert_eq!(
        once.len(),
        rooms.len(),
        "a room is entered twice: {rooms:#?}"
    );
}
