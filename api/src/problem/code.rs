//! The stable codes of problems, and for each its status and what it means to a client.
//!
//! One table, read by the answers, by the OpenAPI document and by the pages under `/problems`.

use http::StatusCode;
use waybill_ledger::export::FailureCode;

/// A kind of problem. Its name is part of the contract and never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum ProblemCode {
    InvalidRequest,
    InvalidQuery,
    Unauthorized,
    Forbidden,
    CrossSite,
    ExportNotFound,
    RouteNotFound,
    MethodNotAllowed,
    NotAcceptable,
    ExportNotReady,
    ExportFailed,
    ExportAlreadyFinished,
    ExportExpired,
    RequestTimeout,
    PayloadTooLarge,
    UriTooLong,
    HeadersTooLarge,
    UnsupportedMediaType,
    MisdirectedRequest,
    IdempotencyKeyReused,
    RateLimited,
    TooManyActiveExports,
    QueueFull,
    Overloaded,
    QueryTimeout,
    DatabaseUnavailable,
    StorageUnavailable,
    Internal,
    TooManyRows,
    TooLarge,
    CellTooLarge,
    ExportTimeout,
    WorkerLost,
    UnavailableTooLong,
    QueryFailed,
    ValueUnrepresentable,
    SourceConflict,
    SourceLimit,
}

/// What a client may know about a code.
pub(crate) struct Explanation {
    /// The code itself, as it stands in answers.
    pub(crate) name: &'static str,
    pub(crate) status: StatusCode,
    /// The same for every occurrence.
    pub(crate) title: &'static str,
    /// When it happens.
    pub(crate) meaning: &'static str,
    /// What a client does about it.
    pub(crate) remedy: &'static str,
}

impl ProblemCode {
    pub(crate) const ALL: [Self; 38] = [
        Self::InvalidRequest,
        Self::InvalidQuery,
        Self::Unauthorized,
        Self::Forbidden,
        Self::CrossSite,
        Self::ExportNotFound,
        Self::RouteNotFound,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::ExportNotReady,
        Self::ExportFailed,
        Self::ExportAlreadyFinished,
        Self::ExportExpired,
        Self::RequestTimeout,
        Self::PayloadTooLarge,
        Self::UriTooLong,
        Self::HeadersTooLarge,
        Self::UnsupportedMediaType,
        Self::MisdirectedRequest,
        Self::IdempotencyKeyReused,
        Self::RateLimited,
        Self::TooManyActiveExports,
        Self::QueueFull,
        Self::Overloaded,
        Self::QueryTimeout,
        Self::DatabaseUnavailable,
        Self::StorageUnavailable,
        Self::Internal,
        Self::TooManyRows,
        Self::TooLarge,
        Self::CellTooLarge,
        Self::ExportTimeout,
        Self::WorkerLost,
        Self::UnavailableTooLong,
        Self::QueryFailed,
        Self::ValueUnrepresentable,
        Self::SourceConflict,
        Self::SourceLimit,
    ];

    pub(crate) fn name(self) -> &'static str {
        self.explanation().name
    }

    pub(crate) fn status(self) -> StatusCode {
        self.explanation().status
    }

    /// Also by a name that an earlier version gave.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let name = match name {
            "export_timeout" => "timeout",
            name => name,
        };
        Self::ALL.into_iter().find(|code| code.name() == name)
    }

    /// Whether the same request may succeed later, which `retry_after_seconds` then says.
    pub(crate) fn is_passing(self) -> bool {
        matches!(
            self,
            Self::ExportNotReady
                | Self::RateLimited
                | Self::TooManyActiveExports
                | Self::QueueFull
                | Self::Overloaded
                | Self::QueryTimeout
                | Self::DatabaseUnavailable
                | Self::StorageUnavailable
                | Self::SourceConflict
        )
    }

    pub(crate) fn explanation(self) -> Explanation {
        match self {
            Self::InvalidRequest => Explanation {
                name: "invalid_request",
                status: StatusCode::BAD_REQUEST,
                title: "Invalid request",
                meaning: "The request cannot be read: its body is not JSON, a member is missing, unknown or of the wrong type, or a query parameter is unknown, repeated or out of range.",
                remedy: "Correct every entry of `errors`; each names its place in `pointer`: a JSON pointer into the body, `/query-parameters/{name}` or `/headers/{name}`.",
            },
            Self::InvalidQuery => Explanation {
                name: "invalid_query",
                status: StatusCode::BAD_REQUEST,
                title: "Invalid query",
                meaning: "The request can be read, but it asks for something that its dataset does not have or that the rules of queries exclude. In an export that failed it means that the catalog changed after the export was accepted.",
                remedy: "Correct every entry of `errors`: all faults of a request are reported at once. `GET /v1/reports/catalog` lists datasets, columns and the operators of each filter field.",
            },
            Self::Unauthorized => Explanation {
                name: "unauthorized",
                status: StatusCode::UNAUTHORIZED,
                title: "Unauthorized",
                meaning: "The request carries no API key, or one that is not in force: unknown, expired or revoked.",
                remedy: "Send `Authorization: Bearer <key>` with a key that the operator made for you; `waybill keys create` makes one.",
            },
            Self::Forbidden => Explanation {
                name: "forbidden",
                status: StatusCode::FORBIDDEN,
                title: "Forbidden",
                meaning: "The dataset or the operation exists, but this caller may not use it.",
                remedy: "Use a dataset of `GET /v1/reports/catalog`, which lists only what the caller may use, or ask the operator for access: some operations need a key of the role admin.",
            },
            Self::CrossSite => Explanation {
                name: "cross_site",
                status: StatusCode::FORBIDDEN,
                title: "Cross-site request",
                meaning: "The request comes from a web page of another site, and this service asks for no keys: whatever page somebody looks at could read and cancel exports.",
                remedy: "Send the request from a program, or from a page of the service's own origin; or ask the operator to let the origin in (`api.allowed_origins`), or to ask for keys (`auth.mode`).",
            },
            Self::ExportNotFound => Explanation {
                name: "export_not_found",
                status: StatusCode::NOT_FOUND,
                title: "Export not found",
                meaning: "The caller has no export of this id. An export of another organisation is answered in the same way.",
                remedy: "Check the id; `GET /v1/exports` lists the caller's exports.",
            },
            Self::RouteNotFound => Explanation {
                name: "route_not_found",
                status: StatusCode::NOT_FOUND,
                title: "Route not found",
                meaning: "Nothing is served at this path.",
                remedy: "Check the path; `/docs` and `/openapi.json` list every route. A path has no slash at its end.",
            },
            Self::MethodNotAllowed => Explanation {
                name: "method_not_allowed",
                status: StatusCode::METHOD_NOT_ALLOWED,
                title: "Method not allowed",
                meaning: "The path exists, but not with this method.",
                remedy: "Use one of the methods in the `Allow` header.",
            },
            Self::NotAcceptable => Explanation {
                name: "not_acceptable",
                status: StatusCode::NOT_ACCEPTABLE,
                title: "Not acceptable",
                meaning: "The `Accept` header excludes every media type that this operation can answer with.",
                remedy: "Accept `application/json`; an export may also be answered as its own type, such as `text/csv`.",
            },
            Self::ExportNotReady => Explanation {
                name: "export_not_ready",
                status: StatusCode::CONFLICT,
                title: "Export not ready",
                meaning: "The export has no file yet: it waits or runs.",
                remedy: "Poll the export, or hold the request with `Prefer: wait=30`, until its `status` is `completed`. `retry_after_seconds` says when to look again.",
            },
            Self::ExportFailed => Explanation {
                name: "export_failed",
                status: StatusCode::CONFLICT,
                title: "Export failed",
                meaning: "The export ended without a file, so there is nothing to download.",
                remedy: "The export's `error` says why. Request a new export once that is settled.",
            },
            Self::ExportAlreadyFinished => Explanation {
                name: "export_already_finished",
                status: StatusCode::CONFLICT,
                title: "Export already finished",
                meaning: "The export ended before it could be cancelled: it is completed, failed or expired, and stays so.",
                remedy: "There is nothing left to stop. `allowed_actions` lists what can be done with the export; `DELETE` removes it and its file.",
            },
            Self::ExportExpired => Explanation {
                name: "export_expired",
                status: StatusCode::GONE,
                title: "Export expired",
                meaning: "The retention of the export is over and its file is gone for good.",
                remedy: "Request a new export.",
            },
            Self::RequestTimeout => Explanation {
                name: "request_timeout",
                status: StatusCode::REQUEST_TIMEOUT,
                title: "Request timeout",
                meaning: "The body of the request took too long to arrive.",
                remedy: "Send the same request again, its body without pauses.",
            },
            Self::PayloadTooLarge => Explanation {
                name: "payload_too_large",
                status: StatusCode::PAYLOAD_TOO_LARGE,
                title: "Payload too large",
                meaning: "The body of the request is larger than 1 MiB.",
                remedy: "Send a smaller body. A filter takes at most 1,000 values.",
            },
            Self::UriTooLong => Explanation {
                name: "uri_too_long",
                status: StatusCode::URI_TOO_LONG,
                title: "URI too long",
                meaning: "The path and query of the request are longer than 8 KiB.",
                remedy: "Send a shorter one; no parameter needs as much.",
            },
            Self::HeadersTooLarge => Explanation {
                name: "headers_too_large",
                status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                title: "Headers too large",
                meaning: "The headers of the request have more than 32 KiB together.",
                remedy: "Send fewer or shorter headers; cookies are not used here.",
            },
            Self::UnsupportedMediaType => Explanation {
                name: "unsupported_media_type",
                status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
                title: "Unsupported media type",
                meaning: "The body of the request is not declared to be JSON.",
                remedy: "Send `Content-Type: application/json`, and no `Content-Encoding`.",
            },
            Self::MisdirectedRequest => Explanation {
                name: "misdirected_request",
                status: StatusCode::MISDIRECTED_REQUEST,
                title: "Misdirected request",
                meaning: "The request is addressed to a host that is not this service's. Without keys it answers to `localhost`, to names under it, to loopback addresses and to the host of `api.public_url` only, so that no web page reaches it by a name of its own.",
                remedy: "Use one of these names, or ask the operator to set `api.public_url` to the name that clients use.",
            },
            Self::IdempotencyKeyReused => Explanation {
                name: "idempotency_key_reused",
                status: StatusCode::UNPROCESSABLE_ENTITY,
                title: "Idempotency key reused",
                meaning: "The `Idempotency-Key` of the request was used for another request within the last 24 hours, and its export still exists. Nothing was recorded.",
                remedy: "Use a new key for a new request; send a request again unchanged to get the export that it made.",
            },
            Self::RateLimited => Explanation {
                name: "rate_limited",
                status: StatusCode::TOO_MANY_REQUESTS,
                title: "Rate limited",
                meaning: "The API key sends more requests than it may.",
                remedy: "Send the same request after `retry_after_seconds`, and fewer of them: hold a request with `Prefer: wait=30`, or follow its events, instead of polling.",
            },
            Self::TooManyActiveExports => Explanation {
                name: "too_many_active_exports",
                status: StatusCode::TOO_MANY_REQUESTS,
                title: "Too many active exports",
                meaning: "The organisation has as many unfinished exports as it may. Nothing was recorded.",
                remedy: "Send the same request after `retry_after_seconds`, which is computed from the rate at which the organisation's exports end, or cancel one that is not needed any more.",
            },
            Self::QueueFull => Explanation {
                name: "queue_full",
                status: StatusCode::TOO_MANY_REQUESTS,
                title: "Queue full",
                meaning: "As many exports wait for a worker as the service takes. Nothing was recorded.",
                remedy: "Send the same request after `retry_after_seconds`, which is computed from the rate at which exports are taken from the queue.",
            },
            Self::Overloaded => Explanation {
                name: "overloaded",
                status: StatusCode::TOO_MANY_REQUESTS,
                title: "Overloaded",
                meaning: "Every place for what was asked is taken, and none became free in time: for reports that are answered at once, or for clients that follow an export.",
                remedy: "Send the same request after `retry_after_seconds`; or ask for a job with `Prefer: respond-async`, and poll an export instead of following it: neither needs such a place.",
            },
            Self::QueryTimeout => Explanation {
                name: "query_timeout",
                status: StatusCode::SERVICE_UNAVAILABLE,
                title: "Query timeout",
                meaning: "The report took longer than an answer at once may take, and was stopped.",
                remedy: "Export the same query, which has the time that it needs, or narrow its time range or filters.",
            },
            Self::DatabaseUnavailable => Explanation {
                name: "database_unavailable",
                status: StatusCode::SERVICE_UNAVAILABLE,
                title: "Database unavailable",
                meaning: "A database that this request or export needs does not answer, or cannot serve it at the moment: it starts, has no connection left, or somebody has locked the table.",
                remedy: "Send the same request after `retry_after_seconds`. Exports that were accepted are not lost: they go on when the database is back.",
            },
            Self::StorageUnavailable => Explanation {
                name: "storage_unavailable",
                status: StatusCode::SERVICE_UNAVAILABLE,
                title: "Storage unavailable",
                meaning: "The object store that holds the files does not answer at the moment.",
                remedy: "Send the same request after `retry_after_seconds`.",
            },
            Self::Internal => Explanation {
                name: "internal",
                status: StatusCode::INTERNAL_SERVER_ERROR,
                title: "Internal error",
                meaning: "Something went wrong that is not the client's fault and that an operator has to look at.",
                remedy: "Report the `request_id` (or the id of the export) to the operator, whose log has the cause under it.",
            },
            Self::TooManyRows => Explanation {
                name: "too_many_rows",
                status: StatusCode::BAD_REQUEST,
                title: "Too many rows",
                meaning: "The result has more rows than one export may have. Nothing is cut off silently, so the export failed.",
                remedy: "Export in parts, by shorter time ranges or with filters.",
            },
            Self::TooLarge => Explanation {
                name: "too_large",
                status: StatusCode::BAD_REQUEST,
                title: "File too large",
                meaning: "The file is larger than the object store takes as one object.",
                remedy: "Export in parts, by shorter time ranges, with filters or with fewer columns.",
            },
            Self::CellTooLarge => Explanation {
                name: "cell_too_large",
                status: StatusCode::BAD_REQUEST,
                title: "Cell too large",
                meaning: "A cell has more bytes than a cell may have (8 MiB, unless the operator set `exports.max_cell_bytes`), or the cells of one row have more than twice as many together. Nothing is cut off silently, so there is no file. `detail` names the column and the limit.",
                remedy: "Leave the column out, or exclude its large values by filters or the time range. The same request ends in the same way, however often it is sent.",
            },
            Self::ExportTimeout => Explanation {
                name: "timeout",
                status: StatusCode::SERVICE_UNAVAILABLE,
                title: "Export timeout",
                meaning: "Reading the data took longer than an export may take.",
                remedy: "Export in parts, by shorter time ranges or with filters.",
            },
            Self::WorkerLost => Explanation {
                name: "worker_lost",
                status: StatusCode::SERVICE_UNAVAILABLE,
                title: "Worker lost",
                meaning: "The processes that worked on the export ended before it did, each time.",
                remedy: "Request the export again; if that happens once more, report its id to the operator.",
            },
            Self::UnavailableTooLong => Explanation {
                name: "unavailable_too_long",
                status: StatusCode::SERVICE_UNAVAILABLE,
                title: "Unavailable for too long",
                meaning: "A database or the store that the export needs was away for so long that the export was given up. Time behind other exports does not count.",
                remedy: "Request the export again once the service is well; `GET /readyz` says what is missing.",
            },
            Self::QueryFailed => Explanation {
                name: "query_failed",
                status: StatusCode::BAD_REQUEST,
                title: "Query failed on the data",
                meaning: "The query is valid, but the data does not allow it: a division by zero, a text that is no number, a document that is no JSON. `detail` says what kind of fault it is, with the class of its SQLSTATE and the column where the database tells.",
                remedy: "Leave out the column that it is about, or the rows, by a filter or another time range. If every report of the dataset fails, tell its operator, whose log has more.",
            },
            Self::ValueUnrepresentable => Explanation {
                name: "value_unrepresentable",
                status: StatusCode::BAD_REQUEST,
                title: "Value cannot be represented",
                meaning: "A value is not of its column's type, or the file's format cannot hold it: text in an integer column, a BLOB or text that is no UTF-8 in a string column, a number out of range. `detail` names the column and, where it is known, the row.",
                remedy: "Leave the column out, or the row, by a filter or another time range, or have the operator correct the data or the catalog. The same request ends in the same way, however often it is sent.",
            },
            Self::SourceConflict => Explanation {
                name: "source_conflict",
                status: StatusCode::SERVICE_UNAVAILABLE,
                title: "Conflict in the database",
                meaning: "The database gave up reading the data in favour of other work: on a replica, of changes of its primary. An export is tried again before it fails so.",
                remedy: "Send the same request again, or narrow it so that it reads for a shorter time. `detail` names the setting of the database that an operator can change.",
            },
            Self::SourceLimit => Explanation {
                name: "source_limit",
                status: StatusCode::SERVICE_UNAVAILABLE,
                title: "Limit of the database",
                meaning: "Reading the data takes more of the database than it has or allows, such as space for temporary files or memory.",
                remedy: "Narrow the query: a shorter time range, fewer columns to group or order by. `detail` names the setting of the database that an operator can change.",
            },
        }
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
    use super::*;

    #[test]
    fn names_are_distinct_and_read_back() {
        for code in ProblemCode::ALL {
            assert_eq!(ProblemCode::from_name(code.name()), Some(code));
        }
        assert_eq!(ProblemCode::from_name("nothing"), None);
    }

    #[test]
    fn a_failed_export_has_the_code_that_the_ledger_has() {
        for failure in FailureCode::ALL {
            assert_eq!(ProblemCode::from(failure).name(), failure.name());
        }
    }
}
