//! Where an export's file can be had: presigned links, made anew for each answer.

use std::sync::Arc;
use std::time::Duration;

use waybill_ledger::export::Export;
use waybill_report::caller::Caller;
use waybill_store::{Bucket, Link};

use crate::auth::Authenticator;
use crate::clock;
use crate::links::Links;
use crate::problem::Problem;
use crate::views::export::{ExportView, downloadable};

/// Makes links to files.
pub(crate) struct Downloads {
    pub(crate) bucket: Bucket,
    pub(crate) authenticator: Arc<Authenticator>,
    /// How long a link works, unless its file goes before.
    pub(crate) link_lifetime: Duration,
}

impl Downloads {
    /// Returns an export with a link of its own. Where no link can be made now, it is the route that makes
    /// one later.
    ///
    /// # Errors
    /// 401 when the caller's key has ended meanwhile.
    pub(crate) async fn view(
        &self,
        caller: &Caller,
        links: &Links,
        export: Export,
    ) -> Result<ExportView, Problem> {
        let link = match self.link(caller, &export).await {
            Ok(link) => link,
            Err(problem) if problem.is_unauthorized() => return Err(problem),
            Err(problem) => {
                tracing::warn!(export_id = %export.id, cause = problem.detail(), "no download link could be made");
                None
            }
        };
        Ok(ExportView::new(export, clock::now(), links, link))
    }

    /// Returns a presigned URL for an export that can be downloaded; it never outlives the file. Whoever
    /// has it needs no key any more, so the caller's is looked at once more.
    ///
    /// # Errors
    /// 401 when the caller's key has ended meanwhile; 503 when nobody can say, or the store is away.
    pub(crate) async fn link(
        &self,
        caller: &Caller,
        export: &Export,
    ) -> Result<Option<Link>, Problem> {
        // What the store's clock shows is what the link is judged by.
        let now = self.bucket.now();
        let Some(receipt) = downloadable(export, now) else {
            return Ok(None);
        };
        self.authenticator.current(caller).await?;
        let left = export.expires_at.and_then(|end| (end - now).to_std().ok());
        let valid_for = left.map_or(self.link_lifetime, |left| left.min(self.link_lifetime));
        let link = self
            .bucket
            .link(
                &receipt.object_key,
                export.format().content_type_header(),
                &export.spec.filename,
                valid_for,
            )
            .await?;
        Ok(Some(link))
    }
}
