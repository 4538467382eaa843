//! A catalog and a SQLite file whose rows take as long to read as a test wants, so that exports can
//! be met while they run.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::launch::Launch;

/// Rows of the file; several batches, so that progress can be seen.
pub(crate) const SLOW_ROWS: u64 = 40_000;

/// What is added to `id` to make `v`, step by step: the work for each row.
const SLOW_STEPS: u64 = 400;
const ENDLESS_STEPS: u64 = 1_000_000;

/// The folder of the file and its catalog; keep it as long as the server.
pub(crate) struct SlowSource {
    folder: TempDir,
}

impl SlowSource {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        write_database(&folder.path().join("slow.db")).expect("SQLite writes the rows");
        let catalog = [
            ("plain", 0),
            ("slow", SLOW_STEPS),
            ("endless", ENDLESS_STEPS),
        ]
        .map(|(name, steps)| dataset(name, steps))
        .join("\n");
        fs::write(folder.path().join("catalog.toml"), catalog).expect("the catalog is written");
        Self { folder }
    }

    /// A server that reads it: `plain` costs nothing, `slow` a few seconds, `endless` hours.
    pub(crate) fn launch(&self) -> Launch {
        let file = |name| self.folder.path().join(name);
        Launch::new().own_data(&file("slow.db"), &file("catalog.toml"))
    }
}

fn write_database(path: &Path) -> rusqlite::Result<()> {
    Connection::open(path)?.execute_batch(&format!(
        "CREATE TABLE items (id INTEGER PRIMARY KEY, org_id TEXT NOT NULL, at TEXT NOT NULL);
         WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < {SLOW_ROWS})
         INSERT INTO items SELECT id, 'org_demo', '2026-05-01T00:00:00Z' FROM n;"
    ))
}

fn dataset(name: &str, steps: u64) -> String {
    format!(
        r#"
[datasets.{name}]
sql = """
SELECT id, org_id, at, (
    WITH RECURSIVE step(n) AS (SELECT items.id UNION ALL SELECT n + 1 FROM step WHERE n < items.id + {steps})
    SELECT max(n) FROM step
) AS v FROM items"""
grain = "row"
tenant = "org_id"
time = "at"

[datasets.{name}.dimensions]
id = {{ sql = "id", type = "integer" }}
v = {{ sql = "v", type = "integer" }}
"#
    )
}

/// A query for all rows of one of the datasets, in whatever order.
pub(crate) fn rows_of(dataset: &str) -> Value {
    json!({
        "dataset": dataset,
        "time_range": {"from": "2026-05-01T00:00:00Z", "to": "2026-05-02T00:00:00Z"},
        "dimensions": ["id", "v"],
        "limit": null,
    })
}

/// The lines of the file of all rows of `slow`, sorted.
pub(crate) fn slow_lines() -> Vec<String> {
    let mut lines: Vec<String> = (1..=SLOW_ROWS)
        .map(|id| format!("{id},{}", id + SLOW_STEPS))
        .collect();
    lines.sort_unstable();
    lines
}
