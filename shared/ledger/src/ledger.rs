//! All of a ledger, for who puts a process together and for the suites that every engine passes.

use crate::changes::Changes;
use crate::intake::Intake;
use crate::outbox::Outbox;
use crate::probe::Probe;
use crate::upkeep::Upkeep;
use crate::work::Work;

/// See the module. Everybody else has the part that is theirs.
pub trait Ledger: Intake + Work + Upkeep + Outbox + Changes + Probe {}

impl<T: Intake + Work + Upkeep + Outbox + Changes + Probe> Ledger for T {}
