//! The report: a table for people, the same with every round's values as JSON for programs.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;
use comfy_table::{Table, presets};
use serde::Serialize;

use crate::figure::Figure;
use crate::machine::Machine;
use crate::options::Options;

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: Machine,
    rows: u64,
    rounds: u32,
    figures: Vec<Figure>,
    remarks: Vec<String>,
}

/// What one part gives.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) figures: Vec<Figure>,
    /// What was left out and why, or how a figure is to be read.
    pub(crate) remarks: Vec<String>,
}

impl Report {
    pub(crate) fn new(machine: Machine, options: &Options) -> Self {
        Self {
            machine,
            rows: options.rows,
            rounds: options.rounds,
            figures: Vec::new(),
            remarks: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, findings: Findings) {
        self.figures.extend(findings.figures);
        self.remarks.extend(findings.remarks);
    }

    pub(crate) fn print(&self) -> anyhow::Result<()> {
        io::stdout()
            .write_all(self.text().as_bytes())
            .context("standard output")
    }

    pub(crate) fn write_json(&self, path: &Path) -> anyhow::Result<()> {
        let json = serde_json::to_vec_pretty(self)?;
        fs::write(path, json).with_context(|| format!("--json {}", path.display()))
    }

    fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.machine);
        let mut table = Table::new();
        table.load_preset(presets::ASCII_MARKDOWN).set_header([
            "measured",
            "median",
            "lowest to highest",
            "compared",
            "target",
            "",
        ]);
        table.add_rows(self.figures.iter().map(cells));
        text.push_str(&format!("{table}\n"));
        let notes = self.figures.iter().filter_map(|figure| {
            let note = figure.note.as_ref()?;
            Some(format!("{}: {note}", figure.what))
        });
        let lines: Vec<String> = notes.chain(self.remarks.iter().cloned()).collect();
        if !lines.is_empty() {
            text.push('\n');
        }
        for line in lines {
            text.push_str(&format!("* {line}\n"));
        }
        text
    }
}

fn cells(figure: &Figure) -> [String; 6] {
    let unit = figure.unit;
    let lowest = figure.values.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = figure
        .values
        .iter()
        .copied()
        .fold(f64::NEG_INFINITY, f64::max);
    let spread = match figure.values.len() {
        1 => String::new(),
        _ => format!("{} to {}", unit.number(lowest), unit.number(highest)),
    };
    let comparison = figure.comparison.as_ref();
    let cells = [
        figure.what.clone(),
        format!("{} {unit}", unit.number(figure.median)),
        spread,
        comparison.map_or_else(String::new, |comparison| {
            format!("{:.2} × {}", comparison.ratio, comparison.against)
        }),
        figure.target_text().unwrap_or_default(),
        figure
            .target
            .map_or("", |target| match target.met {
                true => "met",
                false => "MISSED",
            })
            .to_owned(),
    ];
    // A pipe would end the cell.
    cells.map(|cell| cell.replace('|', "\\|"))
}
