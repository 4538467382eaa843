//! What is asked of a ledger to accept.

use serde::Serialize;
use sha2::{Digest, Sha256};
use waybill_report::caller::{KeyId, OrgId};
use waybill_report::encode::Format;
use waybill_report::query::ReportQuery;

use crate::error::LedgerError;
use crate::export::Lane;

/// An export to be recorded.
#[derive(Clone, Debug)]
pub struct NewExport {
    /// Whose it is.
    pub org: OrgId,
    /// The key that asked; `None` where no keys are asked for.
    pub made_by: Option<KeyId>,
    /// What is asked.
    pub query: ReportQuery,
    /// In which format.
    pub format: Format,
    /// The download's name.
    pub filename: String,
    /// How many failures end it.
    pub max_attempts: u32,
    /// Rows expected, by the planner.
    pub estimated_rows: Option<u64>,
    /// In which lane it waits.
    pub lane: Lane,
}

impl NewExport {
    /// SHA-256 of who asks for what, in lower-case hex: the same for identical requests of one key,
    /// and only for them.
    pub(crate) fn request(&self) -> Result<String, LedgerError> {
        #[derive(Serialize)]
        struct Request<'a> {
            org: &'a str,
            made_by: Option<&'a str>,
            query: &'a ReportQuery,
            format: &'a str,
        }
        let request = Request {
            org: self.org.as_str(),
            made_by: self.made_by.as_ref().map(KeyId::as_str),
            query: &self.query,
            format: self.format.name(),
        };
        let json = serde_json::to_vec(&request);
        let json = json.map_err(|error| LedgerError::Corrupt(error.to_string()))?;
        Ok(hex::encode(Sha256::digest(json)))
    }
}
