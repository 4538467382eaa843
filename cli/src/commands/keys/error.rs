//! What errors of the keys mean to who runs a command.

use waybill_ledger::keys::KeysError;

use crate::error::StartError;
use crate::startup;

impl From<KeysError> for StartError {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::SchemaOutdated => startup::outdated(),
            error => anyhow::Error::new(error).into(),
        }
    }
}
