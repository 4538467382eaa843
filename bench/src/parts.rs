//! What can be measured alone.

use clap::ValueEnum;

/// One thing that `--only` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// The S3 endpoint that discards, by itself
    Endpoint,
    /// `psql COPY … csv > /dev/null`
    Psql,
    /// `psql COPY … csv | S3 client`, for each client on the PATH
    Upload,
    /// A plain exporter, row by row
    Rows,
    /// Exports of the service, POST to completed
    Exports,
    /// Peak memory of a worker
    Memory,
    /// Peak memory with large cells, and the cost of the test for them
    Cells,
    /// Answers at once, against pgbench
    Inline,
    /// 202s per second
    Enqueue,
    /// How long an idle worker takes to begin
    Pickup,
    /// Answers at once under ten times the load that fits
    Overload,
    /// More exports than the queue takes, from clients that come back when they are told to
    Flood,
    /// A thousand clients that wait for exports
    Waiting,
    /// What the check of keys costs
    Admission,
    /// One organisation's wait behind another's flood, and the claims of a long queue
    Fairness,
    /// One organisation's reports at once beside another's large bodies
    Noise,
}

/// The chosen parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    chosen: u32,
}

impl Parts {
    /// These, or all where none is named.
    pub(crate) fn of(only: &[Part]) -> Self {
        let parts = if only.is_empty() {
            Part::value_variants()
        } else {
            only
        };
        let chosen = parts.iter().fold(0, |chosen, part| chosen | part.bit());
        Self { chosen }
    }

    /// Whether this one is to be measured.
    pub(crate) fn has(self, part: Part) -> bool {
        self.chosen & part.bit() != 0
    }

    /// Whether any of these is.
    pub(crate) fn has_any(self, parts: &[Part]) -> bool {
        parts.iter().any(|part| self.has(*part))
    }
}

impl Part {
    fn bit(self) -> u32 {
        1 << self as u32
    }
}
