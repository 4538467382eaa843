//! The span of a request, whose fields stand in whatever is logged on the way: its id, and once that is known
//! the organisation, the key's id and the export. Queries, headers and bodies are never logged.

use tracing::Span;
use tracing::field::Empty;
use waybill_ledger::export::ExportId;
use waybill_report::caller::Caller;

/// Begins the span of the request with this id.
pub(crate) fn begin(request_id: &str) -> Span {
    tracing::info_span!(
        "request",
        request_id = %request_id,
        org = Empty,
        key_id = Empty,
        export_id = Empty
    )
}

/// Records who asks.
pub(crate) fn record_caller(caller: &Caller) {
    let span = Span::current();
    span.record("org", caller.org.as_str());
    if let Some(key) = &caller.key {
        span.record("key_id", key.as_str());
    }
}

/// Records which export it is about.
pub(crate) fn record_export(id: ExportId) {
    Span::current().record("export_id", tracing::field::display(id));
}
