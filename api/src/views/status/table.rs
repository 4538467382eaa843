//! The status as text for a terminal: three tables, one below the other.

use std::fmt::Display;

use super::{
    Counts, InstallationStatus, LaneStatus, OrganisationStatus, PlacesStatus, ProcessStatus,
    StatusView,
};

/// Between two columns.
const GAP: &str = "  ";

/// Of what cannot be read at the moment.
const UNKNOWN: &str = "unknown: the ledger does not answer";

/// Returns the status as lines of text that line up.
pub(crate) fn render(status: &StatusView) -> String {
    let mut text = String::new();
    section(
        &mut text,
        "This process, since it began",
        &process(&status.process),
    );
    let installation = status.installation.as_ref();
    section(
        &mut text,
        "The whole installation",
        &installation.map_or_else(unknown, lanes),
    );
    let organisation = status.organisation.as_ref();
    section(
        &mut text,
        "Your organisation",
        &organisation.map_or_else(unknown, active),
    );
    text
}

fn process(process: &ProcessStatus) -> Table {
    let mut table = Table::default();
    table.row(["version", process.version]);
    table.row(["uptime", &uptime(process.uptime_seconds)]);
    let missing = process.missing.join(", ");
    let ready = if missing.is_empty() {
        "yes".to_owned()
    } else {
        format!("no, missing: {missing}")
    };
    table.row(["ready", &ready]);
    table.number("requests in flight", process.requests_in_flight);
    table.places("inline slots in use", process.inline_slots);
    table.places("waiting places in use", process.waiting_places);
    table.numbers("inline", &process.inline_attempts);
    table.numbers("429", &process.put_off);
    if let Some(worker) = &process.worker {
        table.number("exports running", worker.running);
        table.numbers("attempts", &worker.attempts);
        table.number("exported rows", worker.exported_rows);
        table.number("exported bytes", worker.exported_bytes);
    }
    table
}

fn lanes(installation: &InstallationStatus) -> Table {
    let mut table = Table::default();
    table.row(["lane", "queued", "running", "oldest queued"]);
    for (name, lane) in [("small", installation.small), ("large", installation.large)] {
        let LaneStatus {
            queued,
            running,
            oldest_queued_seconds,
        } = lane;
        let oldest = oldest_queued_seconds.map(|seconds| format!("{seconds:.1} s"));
        table.row([
            name,
            &queued.to_string(),
            &running.to_string(),
            oldest.as_deref().unwrap_or("-"),
        ]);
    }
    let drain = installation.drain_per_second.unwrap_or_default();
    table.row(["drain", &format!("{drain:.2}/s")]);
    if installation.unknown > 0 {
        table.row(["for a newer version", &installation.unknown.to_string()]);
    }
    table
}

fn active(organisation: &OrganisationStatus) -> Table {
    let mut table = Table::default();
    let OrganisationStatus {
        active_exports,
        max_active_exports,
    } = organisation;
    table.row([
        "active exports",
        &format!("{active_exports} of {max_active_exports}"),
    ]);
    table
}

fn unknown() -> Table {
    let mut table = Table::default();
    table.row([UNKNOWN]);
    table
}

/// `3 d 04:05:06`, without days before the first is over.
fn uptime(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let clock = format!("{hours:02}:{:02}:{:02}", seconds / 60 % 60, seconds % 60);
    match days {
        0 => clock,
        days => format!("{days} d {clock}"),
    }
}

fn section(text: &mut String, title: &str, table: &Table) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(title);
    text.push('\n');
    table.write(text);
}

/// Cells that are written as wide as the widest of their column.
#[derive(Default)]
struct Table(Vec<Vec<String>>);

impl Table {
    fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.0.push(cells.map(str::to_owned).to_vec());
    }

    fn number(&mut self, name: &str, number: impl Display) {
        self.row([name, &number.to_string()]);
    }

    fn places(&mut self, name: &str, places: PlacesStatus) {
        self.row([name, &format!("{} of {}", places.in_use, places.total)]);
    }

    fn numbers(&mut self, of: &str, Counts(counts): &Counts) {
        for (name, count) in counts {
            self.number(&format!("{of} {name}"), count);
        }
    }

    fn write(&self, text: &mut String) {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = self.0.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<usize> = (0..columns).filter_map(width).collect();
        for row in &self.0 {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(GAP);
                line.push_str(&format!("{cell:<width$}"));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::WorkerStatus;
    use super::*;

    #[test]
    fn everything_lines_up() {
        let status = StatusView {
            process: ProcessStatus {
                version: "1.2.3",
                uptime_seconds: 3 * 86_400 + 4 * 3_600 + 5 * 60 + 6,
                missing: vec!["storage".to_owned()],
                requests_in_flight: 1,
                inline_slots: PlacesStatus {
                    in_use: 2,
                    total: 8,
                },
                waiting_places: PlacesStatus {
                    in_use: 70,
                    total: 5_000,
                },
                inline_attempts: Counts(vec![("answered", 1_200)]),
                put_off: Counts(vec![("queue_full", 3)]),
                worker: Some(WorkerStatus {
                    running: 4,
                    attempts: Counts(vec![("completed", 17)]),
                    exported_rows: 1_000_000,
                    exported_bytes: 90_000_000,
                }),
            },
            installation: Some(InstallationStatus {
                small: LaneStatus {
                    queued: 0,
                    running: 1,
                    oldest_queued_seconds: None,
                },
                large: LaneStatus {
                    queued: 12,
                    running: 3,
                    oldest_queued_seconds: Some(61.25),
                },
                drain_per_second: Some(0.4),
                unknown: 0,
            }),
            organisation: Some(OrganisationStatus {
                active_exports: 5,
                max_active_exports: 20,
            }),
        };
        let expected = "\
This process, since it began
  version                1.2.3
  uptime                 3 d 04:05:06
  ready                  no, missing: storage
  requests in flight     1
  inline slots in use    2 of 8
  waiting places in use  70 of 5000
  inline answered        1200
  429 queue_full         3
  exports running        4
  attempts completed     17
  exported rows          1000000
  exported bytes         90000000

The whole installation
  lane   queued  running  oldest queued
  small  0       1        -
  large  12      3        61.2 s
  drain  0.40/s

Your organisation
  active exports  5 of 20
";
        assert_eq!(render(&status), expected);
    }

    #[test]
    fn what_is_not_known_is_said_to_be_so() {
        let status = StatusView {
            process: ProcessStatus {
                version: "1.2.3",
                uptime_seconds: 61,
                missing: Vec::new(),
                requests_in_flight: 0,
                inline_slots: PlacesStatus {
                    in_use: 0,
                    total: 8,
                },
                waiting_places: PlacesStatus {
                    in_use: 0,
                    total: 5_000,
                },
                inline_attempts: Counts(Vec::new()),
                put_off: Counts(Vec::new()),
                worker: None,
            },
            installation: None,
            organisation: None,
        };
        let table = render(&status);
        assert!(
            table.contains("  uptime                 00:01:01\n"),
            "{table}"
        );
        assert!(table.contains("  ready                  yes\n"), "{table}");
        assert_eq!(table.matches(UNKNOWN).count(), 2, "{table}");
    }
}
