//! The stable codes of problems, and for each its status and what it means to a client.
//!
//! One table, read by the answers, by the OpenAPI document and by the pages under `/problems`: a new code is a
//! row of it, and the place that raises it. The name of a code is its variant's in snake case.

use http::StatusCode;
use strum::{EnumIter, EnumString, IntoStaticStr};
use waybill_ledger::export::FailureCode;

/// What a client may know about a code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Explanation {
    pub(crate) status: StatusCode,
    /// Whether the same request may succeed later, which `retry_after_seconds` then says.
    pub(crate) passes: bool,
    /// The same for every occurrence.
    pub(crate) title: &'static str,
    /// When it happens.
    pub(crate) meaning: &'static str,
    /// What a client does about it.
    pub(crate) remedy: &'static str,
}

macro_rules! is_marked {
    () => {
        false
    };
    (passes) => {
        true
    };
}

/// Makes the codes of a table: `Variant: STATUS, title; when it happens; then what a client does.`
macro_rules! codes {
    ($(
        $(#[$attribute:meta])*
        $code:ident: $status:ident $(, $passes:ident)?, $title:literal;
        when $meaning:literal;
        then $remedy:literal.
    )+) => {
        /// A kind of problem. Its name is part of the contract and never changes its meaning.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, EnumString, IntoStaticStr,
        )]
        #[strum(serialize_all = "snake_case")]
        pub(crate) enum ProblemCode {
            $($(#[$attribute])* $code,)+
        }

        impl ProblemCode {
            /// Returns what a client may know about the code.
            pub(crate) fn explanation(self) -> Explanation {
                match self {
                    $(Self::$code => Explanation {
                        status: StatusCode::$status,
                        passes: is_marked!($($passes)?),
                        title: $title,
                        meaning: $meaning,
                        remedy: $remedy,
                    },)+
                }
            }
        }
    };
}

codes! {
    InvalidRequest: BAD_REQUEST, "Invalid request";
        when "The request cannot be read: its body is not JSON, a member is missing, unknown or of the wrong type, or a query parameter is unknown, repeated or out of range.";
        then "Correct every entry of `errors`; each names its place in `pointer`: a JSON pointer into the body, `/query-parameters/{name}` or `/headers/{name}`.".

    InvalidQuery: BAD_REQUEST, "Invalid query";
        when "The request can be read, but it asks for something that its dataset does not have or that the rules of queries exclude. In an export that failed it means that the catalog changed after the export was accepted.";
        then "Correct every entry of `errors`: all faults of a request are reported at once. `GET /v1/reports/catalog` lists datasets, columns and the operators of each filter field.".

    Unauthorized: UNAUTHORIZED, "Unauthorized";
        when "The request carries no API key, or one that is not in force: unknown, expired or revoked.";
        then "Send `Authorization: Bearer <key>` with a key that the operator made for you; `waybill keys create` makes one.".

    Forbidden: FORBIDDEN, "Forbidden";
        when "The dataset or the operation exists, but this caller may not use it.";
        then "Use a dataset of `GET /v1/reports/catalog`, which lists only what the caller may use, or ask the operator for access: some operations need a key of the role admin.".

    CrossSite: FORBIDDEN, "Cross-site request";
        when "The request comes from a web page of another site, and this service asks for no keys: whatever page somebody looks at could read and cancel exports.";
        then "Send the request from a program, or from a page of the service's own origin; or ask the operator to let the origin in (`api.allowed_origins`), or to ask for keys (`auth.mode`).".

    ExportNotFound: NOT_FOUND, "Export not found";
        when "The caller has no export of this id. An export of another organisation is answered in the same way.";
        then "Check the id; `GET /v1/exports` lists the caller's exports.".

    RouteNotFound: NOT_FOUND, "Route not found";
        when "Nothing is served at this path.";
        then "Check the path; `/docs` and `/openapi.json` list every route. A path has no slash at its end.".

    MethodNotAllowed: METHOD_NOT_ALLOWED, "Method not allowed";
        when "The path exists, but not with this method.";
        then "Use one of the methods in the `Allow` header.".

    NotAcceptable: NOT_ACCEPTABLE, "Not acceptable";
        when "The `Accept` header excludes every media type that this operation can answer with.";
        then "Accept `application/json`; an export may also be answered as its own type, such as `text/csv`.".

    ExportNotReady: CONFLICT, passes, "Export not ready";
        when "The export has no file yet: it waits or runs.";
        then "Poll the export, or hold the request with `Prefer: wait=30`, until its `status` is `completed`. `retry_after_seconds` says when to look again.".

    ExportFailed: CONFLICT, "Export failed";
        when "The export ended without a file, so there is nothing to download.";
        then "The export's `error` says why. Request a new export once that is settled.".

    ExportAlreadyFinished: CONFLICT, "Export already finished";
        when "The export ended before it could be cancelled: it is completed, failed or expired, and stays so.";
        then "There is nothing left to stop. `allowed_actions` lists what can be done with the export; `DELETE` removes it and its file.".

    ExportExpired: GONE, "Export expired";
        when "The retention of the export is over and its file is gone for good.";
        then "Request a new export.".

    RequestTimeout: REQUEST_TIMEOUT, "Request timeout";
        when "The body of the request took too long to arrive.";
        then "Send the same request again, its body without pauses.".

    PayloadTooLarge: PAYLOAD_TOO_LARGE, "Payload too large";
        when "The body of the request is larger than 1 MiB.";
        then "Send a smaller body. A filter takes at most 1,000 values.".

    UriTooLong: URI_TOO_LONG, "URI too long";
        when "The path and query of the request are longer than 8 KiB.";
        then "Send a shorter one; no parameter needs as much.".

    HeadersTooLarge: REQUEST_HEADER_FIELDS_TOO_LARGE, "Headers too large";
        when "The headers of the request have more than 32 KiB together.";
        then "Send fewer or shorter headers; cookies are not used here.".

    UnsupportedMediaType: UNSUPPORTED_MEDIA_TYPE, "Unsupported media type";
        when "The body of the request is not declared to be JSON.";
        then "Send `Content-Type: application/json`, and no `Content-Encoding`.".

    MisdirectedRequest: MISDIRECTED_REQUEST, "Misdirected request";
        when "The request is addressed to a host that is not this service's. Without keys it answers to `localhost`, to names under it, to loopback addresses and to the host of `api.public_url` only, so that no web page reaches it by a name of its own.";
        then "Use one of these names, or ask the operator to set `api.public_url` to the name that clients use.".

    IdempotencyKeyReused: UNPROCESSABLE_ENTITY, "Idempotency key reused";
        when "The `Idempotency-Key` of the request was used for another request within the last 24 hours, and its export still exists. Nothing was recorded.";
        then "Use a new key for a new request; send a request again unchanged to get the export that it made.".

    RateLimited: TOO_MANY_REQUESTS, passes, "Rate limited";
        when "The API key sends more requests than it may.";
        then "Send the same request after `retry_after_seconds`, and fewer of them: hold a request with `Prefer: wait=30`, or follow its events, instead of polling.".

    TooManyActiveExports: TOO_MANY_REQUESTS, passes, "Too many active exports";
        when "The organisation has as many unfinished exports as it may. Nothing was recorded.";
        then "Send the same request after `retry_after_seconds`, which is computed from the rate at which the organisation's exports end, or cancel one that is not needed any more.".

    QueueFull: TOO_MANY_REQUESTS, passes, "Queue full";
        when "As many exports wait for a worker as the service takes. Nothing was recorded.";
        then "Send the same request after `retry_after_seconds`, which is computed from the rate at which exports are taken from the queue.".

    Overloaded: TOO_MANY_REQUESTS, passes, "Overloaded";
        when "Every place for what was asked is taken, and none became free in time: for reports that are answered at once, or for clients that follow an export.";
        then "Send the same request after `retry_after_seconds`; or ask for a job with `Prefer: respond-async`, and poll an export instead of following it: neither needs such a place.".

    QueryTimeout: SERVICE_UNAVAILABLE, passes, "Query timeout";
        when "The report took longer than an answer at once may take, and was stopped.";
        then "Export the same query, which has the time that it needs, or narrow its time range or filters.".

    DatabaseUnavailable: SERVICE_UNAVAILABLE, passes, "Database unavailable";
        when "A database that this request or export needs does not answer, or cannot serve it at the moment: it starts, has no connection left, or somebody has locked the table.";
        then "Send the same request after `retry_after_seconds`. Exports that were accepted are not lost: they go on when the database is back.".

    StorageUnavailable: SERVICE_UNAVAILABLE, passes, "Storage unavailable";
        when "The object store that holds the files does not answer at the moment.";
        then "Send the same request after `retry_after_seconds`.".

    Internal: INTERNAL_SERVER_ERROR, "Internal error";
        when "Something went wrong that is not the client's fault and that an operator has to look at.";
        then "Report the `request_id` (or the id of the export) to the operator, whose log has the cause under it.".

    TooManyRows: BAD_REQUEST, "Too many rows";
        when "The result has more rows than one export may have. Nothing is cut off silently, so the export failed.";
        then "Export in parts, by shorter time ranges or with filters.".

    TooLarge: BAD_REQUEST, "File too large";
        when "The file is larger than the object store takes as one object.";
        then "Export in parts, by shorter time ranges, with filters or with fewer columns.".

    CellTooLarge: BAD_REQUEST, "Cell too large";
        when "A cell has more bytes than a cell may have (8 MiB, unless the operator set `exports.max_cell_bytes`), or the cells of one row have more than twice as many together. Nothing is cut off silently, so there is no file. `detail` names the column and the limit.";
        then "Leave the column out, or exclude its large values by filters or the time range. The same request ends in the same way, however often it is sent.".

    // An earlier version said `export_timeout`.
    #[strum(to_string = "timeout", serialize = "export_timeout")]
    ExportTimeout: SERVICE_UNAVAILABLE, "Export timeout";
        when "Reading the data took longer than an export may take.";
        then "Export in parts, by shorter time ranges or with filters.".

    WorkerLost: SERVICE_UNAVAILABLE, "Worker lost";
        when "The processes that worked on the export ended before it did, each time.";
        then "Request the export again; if that happens once more, report its id to the operator.".

    UnavailableTooLong: SERVICE_UNAVAILABLE, "Unavailable for too long";
        when "A database or the store that the export needs was away for so long that the export was given up. Time behind other exports does not count.";
        then "Request the export again once the service is well; `GET /readyz` says what is missing.".

    QueryFailed: BAD_REQUEST, "Query failed on the data";
        when "The query is valid, but the data does not allow it: a division by zero, a text that is no number, a document that is no JSON. `detail` says what kind of fault it is, with the class of its SQLSTATE and the column where the database tells.";
        then "Leave out the column that it is about, or the rows, by a filter or another time range. If every report of the dataset fails, tell its operator, whose log has more.".

    ValueUnrepresentable: BAD_REQUEST, "Value cannot be represented";
        when "A value is not of its column's type, or the file's format cannot hold it: text in an integer column, a BLOB or text that is no UTF-8 in a string column, a number out of range. `detail` names the column and, where it is known, the row.";
        then "Leave the column out, or the row, by a filter or another time range, or have the operator correct the data or the catalog. The same request ends in the same way, however often it is sent.".

    SourceConflict: SERVICE_UNAVAILABLE, passes, "Conflict in the database";
        when "The database gave up reading the data in favour of other work: on a replica, of changes of its primary. An export is tried again before it fails so.";
        then "Send the same request again, or narrow it so that it reads for a shorter time. `detail` names the setting of the database that an operator can change.".

    SourceLimit: SERVICE_UNAVAILABLE, "Limit of the database";
        when "Reading the data takes more of the database than it has or allows, such as space for temporary files or memory.";
        then "Narrow the query: a shorter time range, fewer columns to group or order by. `detail` names the setting of the database that an operator can change.".
}

impl ProblemCode {
    /// Returns the code as it stands in answers.
    pub(crate) fn name(self) -> &'static str {
        self.into()
    }

    pub(crate) fn status(self) -> StatusCode {
        self.explanation().status
    }

    /// Returns the code of this name, also by one that an earlier version gave.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

impl From<FailureCode> for ProblemCode {
    fn from(code: FailureCode) -> Self {
        match code {
            FailureCode::InvalidQuery => Self::InvalidQuery,
            FailureCode::TooManyRows => Self::TooManyRows,
            FailureCode::TooLarge => Self::TooLarge,
            FailureCode::CellTooLarge => Self::CellTooLarge,
            FailureCode::DatabaseUnavailable => Self::DatabaseUnavailable,
            FailureCode::StorageUnavailable => Self::StorageUnavailable,
            FailureCode::Timeout => Self::ExportTimeout,
            FailureCode::WorkerLost => Self::WorkerLost,
            FailureCode::UnavailableTooLong => Self::UnavailableTooLong,
            FailureCode::QueryFailed => Self::QueryFailed,
            FailureCode::ValueUnrepresentable => Self::ValueUnrepresentable,
            FailureCode::SourceConflict => Self::SourceConflict,
            FailureCode::SourceLimit => Self::SourceLimit,
            FailureCode::Internal => Self::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator as _;

    use super::*;

    #[test]
    fn names_are_distinct_and_read_back() {
        for code in ProblemCode::iter() {
            assert_eq!(ProblemCode::from_name(code.name()), Some(code));
        }
        let former = ProblemCode::from_name("export_timeout");
        assert_eq!(former.map(ProblemCode::name), Some("timeout"));
        assert_eq!(ProblemCode::from_name("nothing"), None);
    }

    #[test]
    fn a_failed_export_has_the_code_that_the_ledger_has() {
        for failure in FailureCode::all() {
            assert_eq!(ProblemCode::from(failure).name(), failure.name());
        }
    }
}
