//! The names of headers that the `http` crate does not know, in requests and in answers.

use http::HeaderName;

/// Names a request, in and out.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a client would like of an answer (RFC 7240).
pub(crate) const PREFER: HeaderName = HeaderName::from_static("prefer");
/// Lists the preferences that an answer honoured (RFC 7240).
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Names what shall have one outcome however often it is sent (IETF draft of that name).
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that the answer is that of an earlier request with the same `Idempotency-Key`.
pub(crate) const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// What a bare file says of itself, as a `ReportExport` does in members of the same names.
pub(crate) const AS_OF: HeaderName = HeaderName::from_static("waybill-as-of");
pub(crate) const ROW_COUNT: HeaderName = HeaderName::from_static("waybill-row-count");
pub(crate) const LIMIT_REACHED: HeaderName = HeaderName::from_static("waybill-limit-reached");
/// The checksum of a whole file (RFC 9530).
pub(crate) const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// Sent by a client of events that lost its connection (WHATWG HTML, section 9.2.4).
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells nginx and its like to pass events on as they come.
pub(crate) const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// How a browser says whether the page and the service are of one site, and what is done with the answer
/// (W3C Fetch Metadata).
pub(crate) const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
pub(crate) const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
