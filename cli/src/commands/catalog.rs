//! `waybill catalog`: whether a catalog fits its sources, and a first one for a database that has none.

mod check;
mod draft;

use clap::Subcommand;

use self::check::CheckArgs;
use self::draft::DraftArgs;
use crate::error::StartError;

/// What can be done with a catalog.
#[derive(Subcommand, Debug)]
pub(crate) enum CatalogCommand {
    /// Parses the catalog and prepares every field against its source
    Check(CheckArgs),
    /// Drafts a catalog from a source's tables, with comments, on standard output
    Draft(DraftArgs),
}

pub(crate) fn run(command: &CatalogCommand) -> Result<(), StartError> {
    match command {
        CatalogCommand::Check(args) => check::run(args),
        CatalogCommand::Draft(args) => draft::run(args),
    }
}
