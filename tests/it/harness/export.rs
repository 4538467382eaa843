//! What holds for every Export that a client is shown.

use serde_json::Value;

use super::values::{instant, text};

/// Every member that an Export has, whatever its status.
const EXPORT_MEMBERS: [&str; 27] = [
    "id",
    "status",
    "dataset",
    "format",
    "filename",
    "content_type",
    "query",
    "created_at",
    "started_at",
    "materialized_at",
    "as_of",
    "source_updated_at",
    "freshness_lag_ms",
    "completed_at",
    "expires_at",
    "attempt",
    "max_attempts",
    "progress",
    "row_count",
    "limit_reached",
    "size_bytes",
    "checksum",
    "download",
    "error",
    "retry_after_seconds",
    "self_url",
    "allowed_actions",
];

/// What holds for every Export.
#[track_caller]
pub(super) fn check_export(export: &Value) {
    let members = export
        .as_object()
        .unwrap_or_else(|| panic!("an Export, got {export}"));
    let status = text(&export["status"]);
    let finished = matches!(
        status.as_str(),
        "completed" | "failed" | "cancelled" | "expired"
    );
    for member in EXPORT_MEMBERS {
        let optional = finished && member == "retry_after_seconds";
        assert!(
            optional || members.contains_key(member),
            "no {member} in {export:#}"
        );
    }
    let id = text(&export["id"]);
    let digits = id.strip_prefix("export_").unwrap_or_default();
    let lower_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    assert!(
        digits.len() == 32 && digits.chars().all(lower_hex),
        "the id {id}"
    );
    assert_eq!(&digits[12..13], "7", "a UUIDv7 in the id {id}");
    instant(&export["created_at"]);
    assert!(
        text(&export["self_url"]).ends_with(&format!("/v1/exports/{id}")),
        "{export:#}"
    );
    assert!(export["query"]["dataset"].is_string(), "{export:#}");
    let attempt = export["attempt"].as_u64().unwrap_or_default();
    let most = export["max_attempts"].as_u64().unwrap_or_default();
    assert!((1..=most).contains(&attempt), "{export:#}");
    let actions = export["allowed_actions"].as_array().into_iter().flatten();
    for action in actions.clone() {
        for member in ["rel", "href", "method"] {
            assert!(
                action[member].is_string(),
                "{member} of an action in {export:#}"
            );
        }
    }
    for (rel, expected) in [
        ("self", true),
        ("delete", true),
        ("cancel", !finished),
        ("events", !finished),
        ("download", status == "completed"),
    ] {
        let allowed = actions.clone().any(|action| action["rel"] == rel);
        assert_eq!(allowed, expected, "{rel} in {export:#}");
    }
    assert_eq!(export["as_of"], export["materialized_at"], "{export:#}");
    assert_eq!(export["error"].is_null(), status != "failed", "{export:#}");
    if finished {
        instant(&export["completed_at"]);
    }
    if matches!(status.as_str(), "completed" | "expired") {
        for member in [
            "started_at",
            "completed_at",
            "materialized_at",
            "expires_at",
        ] {
            instant(&export[member]);
        }
        assert!(
            export["row_count"].is_u64() && export["size_bytes"].is_u64(),
            "{export:#}"
        );
        assert!(export["limit_reached"].is_boolean(), "{export:#}");
    } else {
        for member in ["row_count", "size_bytes", "checksum", "limit_reached"] {
            assert!(export[member].is_null(), "{member} of {export:#}");
        }
    }
    if status == "completed" {
        let link_until = instant(&export["download"]["expires_at"]);
        assert!(link_until <= instant(&export["expires_at"]), "{export:#}");
    } else {
        assert!(export["download"].is_null(), "{export:#}");
    }
    if !finished {
        let hint = export["retry_after_seconds"].as_u64().unwrap_or_default();
        assert!(hint >= 1, "a polling hint in {export:#}");
        assert!(
            export["completed_at"].is_null() && export["error"].is_null(),
            "{export:#}"
        );
    }
}
