//! `waybill keys revoke`: ends a key at once.

use std::path::PathBuf;

use clap::Args;
use waybill_ledger::keys::KeyStore;
use waybill_report::caller::KeyId;

use crate::error::StartError;
use crate::output;

/// Flags of `waybill keys revoke`.
#[derive(Args, Debug)]
pub(crate) struct RevokeArgs {
    /// The key's id, as `keys list` shows it
    #[arg(value_name = "ID")]
    pub(super) id: KeyId,
    /// Settings, see config.default.toml
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

pub(super) async fn run(keys: &dyn KeyStore, id: &KeyId) -> Result<(), StartError> {
    if !keys.revoke(id).await? {
        return Err(anyhow::anyhow!("there is no key {id}").into());
    }
    output::remark(format_args!(
        "{id} is revoked; services forget it within 5 seconds"
    ));
    Ok(())
}
