//! What errors of the keys mean to who runs a command.

use waybill_ledger::keys::KeyStoreError;

use crate::error::StartError;
use crate::startup;

impl From<KeyStoreError> for StartError {
    fn from(error: KeyStoreError) -> Self {
        match error {
            KeyStoreError::SchemaOutdated => startup::outdated(),
            error => anyhow::Error::new(error).into(),
        }
    }
}
