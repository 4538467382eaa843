//! The status as text for a terminal: three tables, one below the other.

use std::fmt::Display;

use comfy_table::Table;
use comfy_table::presets::NOTHING;

use super::{
    Counts, InstallationStatus, LaneStatus, OrganisationStatus, PlacesStatus, ProcessStatus,
    StatusView,
};

/// Blanks before each column.
const INDENT: u16 = 2;

/// Of what cannot be read at the moment.
const UNKNOWN: &str = "unknown: the ledger does not answer";

/// Returns the status as lines of text that line up.
pub(crate) fn render(status: &StatusView) -> String {
    let mut text = String::new();
    section(
        &mut text,
        "This process, since it began",
        process(&status.process),
    );
    let installation = status.installation.as_ref();
    section(
        &mut text,
        "The whole installation",
        installation.map_or_else(unknown, lanes),
    );
    let organisation = status.organisation.as_ref();
    section(
        &mut text,
        "Your organisation",
        organisation.map_or_else(unknown, active),
    );
    text
}

fn process(process: &ProcessStatus) -> Table {
    let mut table = new_table();
    table.add_row(["version", process.version]);
    table.add_row(["uptime", uptime(process.uptime_seconds).as_str()]);
    let missing = process.missing.join(", ");
    let ready = if missing.is_empty() {
        "yes".to_owned()
    } else {
        format!("no, missing: {missing}")
    };
    table.add_row(["ready", ready.as_str()]);
    number(&mut table, "requests in flight", process.requests_in_flight);
    places(&mut table, "inline slots in use", process.inline_slots);
    places(&mut table, "waiting places in use", process.waiting_places);
    numbers(&mut table, "inline", &process.inline_attempts);
    numbers(&mut table, "429", &process.put_off);
    if let Some(worker) = &process.worker {
        number(&mut table, "exports running", worker.running);
        numbers(&mut table, "attempts", &worker.attempts);
        number(&mut table, "exported rows", worker.exported_rows);
        number(&mut table, "exported bytes", worker.exported_bytes);
    }
    table
}

fn lanes(installation: &InstallationStatus) -> Table {
    let mut table = new_table();
    table.add_row(["lane", "queued", "running", "oldest queued"]);
    for (name, lane) in [("small", installation.small), ("large", installation.large)] {
        let LaneStatus {
            queued,
            running,
            oldest_queued_seconds,
        } = lane;
        let oldest = oldest_queued_seconds.map(|seconds| format!("{seconds:.1} s"));
        table.add_row([
            name,
            queued.to_string().as_str(),
            running.to_string().as_str(),
            oldest.as_deref().unwrap_or("-"),
        ]);
    }
    let drain = installation.drain_per_second.unwrap_or_default();
    table.add_row(["drain", format!("{drain:.2}/s").as_str()]);
    if installation.unknown > 0 {
        number(&mut table, "for a newer version", installation.unknown);
    }
    table
}

fn active(organisation: &OrganisationStatus) -> Table {
    let mut table = new_table();
    let OrganisationStatus {
        active_exports,
        max_active_exports,
    } = organisation;
    table.add_row([
        "active exports",
        format!("{active_exports} of {max_active_exports}").as_str(),
    ]);
    table
}

fn unknown() -> Table {
    let mut table = new_table();
    table.add_row([UNKNOWN]);
    table
}

/// Writes `3 d 04:05:06`, without days before the first is over.
fn uptime(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let clock = format!("{hours:02}:{:02}:{:02}", seconds / 60 % 60, seconds % 60);
    match days {
        0 => clock,
        days => format!("{days} d {clock}"),
    }
}

fn section(text: &mut String, title: &str, mut table: Table) {
    if !text.is_empty() {
        text.push('\n');
    }
    for column in table.column_iter_mut() {
        column.set_padding((INDENT, 0));
    }
    text.push_str(&format!("{title}\n{}\n", table.trim_fmt()));
}

fn number(table: &mut Table, name: &str, number: impl Display) {
    table.add_row([name, number.to_string().as_str()]);
}

fn places(table: &mut Table, name: &str, places: PlacesStatus) {
    let PlacesStatus { in_use, total } = places;
    number(table, name, format!("{in_use} of {total}"));
}

fn numbers(table: &mut Table, of: &str, Counts(counts): &Counts) {
    for (name, count) in counts {
        number(table, &format!("{of} {name}"), count);
    }
}

/// Returns a table without lines.
fn new_table() -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table
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
