//! What a run measures, and how often.

use std::path::PathBuf;

use crate::parts::Part;

/// Flags of a run.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Rows of the exported organisation; two others come on top with a tenth of that together
    #[arg(long, value_name = "N", default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(20..))]
    pub(crate) rows: u64,
    /// How often each thing is measured, in turn with the others
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Measure only these
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<Part>,
    /// Where to write every value of every round as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}
