//! Requests on the demo's datasets.

use serde_json::{Value, json};

/// The demo's whole span.
pub(crate) const FROM: &str = "2026-04-24T00:00:00Z";
pub(crate) const TO: &str = "2026-05-24T00:00:00Z";

/// The columns of `session_rows`.
pub(crate) const SESSION_COLUMNS: [&str; 12] = [
    "session_id",
    "status",
    "agent",
    "model",
    "started_at",
    "finished_at",
    "duration_ms",
    "input_tokens",
    "output_tokens",
    "cost",
    "title",
    "updated_at",
];

/// The measures of `sessions`.
pub(crate) const MEASURES: [&str; 6] = [
    "session_count",
    "avg_duration_ms",
    "total_duration_ms",
    "input_tokens",
    "output_tokens",
    "total_cost",
];

/// Every column of every session, in one order only.
pub(crate) fn all_sessions(limit: impl Into<Value>) -> Value {
    json!({
        "dataset": "session_rows",
        "time_range": {"from": FROM, "to": TO},
        "dimensions": SESSION_COLUMNS,
        "order_by": [{"dimension": "session_id", "direction": "asc"}],
        "limit": limit.into(),
    })
}

/// Sessions by status: a handful of rows.
pub(crate) fn by_status() -> Value {
    json!({
        "dataset": "sessions",
        "time_range": {"from": FROM, "to": TO},
        "dimensions": ["status"],
        "measures": ["session_count"],
        "order_by": [{"dimension": "status"}],
    })
}

/// The query as the body of an export.
pub(crate) fn export_of(query: &Value) -> Value {
    json!({ "query": query })
}

/// The object with one member set.
pub(crate) fn with(mut object: Value, member: &str, value: impl Into<Value>) -> Value {
    object[member] = value.into();
    object
}

/// The published operation's own example.
pub(crate) fn published_example() -> Value {
    json!({
        "format": "csv",
        "query": {
            "dataset": "sessions",
            "dimensions": ["status"],
            "filters": [{"field": "status", "op": "eq", "value": "example"}],
            "limit": 100,
            "measures": ["session_count", "avg_duration_ms"],
            "order_by": [{"dimension": "org_id", "direction": "asc", "measure": "session_count"}],
            "time_range": {"from": "2026-04-24T00:00:00Z", "to": "2026-05-24T00:00:00Z"},
        },
    })
}
