//! Files and records whose time is over. Days pass by moving their end to the past.

use serde_json::Value;

use crate::harness::eventually;
use crate::harness::launch::Launch;
use crate::harness::reports::{by_status, export_of};
use crate::harness::values::text;

#[tokio::test]
async fn a_file_goes_when_its_retention_is_over_and_its_record_later() {
    let server = Launch::new().demo_rows(500).start();
    let http = server.http();
    let ledger = server.services().database();
    let (kept, file) = http.exported(&export_of(&by_status())).await;
    let (export, _) = http.exported(&export_of(&by_status())).await;
    let id = text(&export["id"]);
    let ended = |ago: &str| {
        ledger.psql(&format!(
            "UPDATE waybill.exports SET expires_at = now() - interval '{ago}' WHERE id = '{id}'"
        ));
    };

    ended("1 second");
    let expired = http.export_once(&id, "expired").await;
    for member in ["row_count", "size_bytes", "checksum"] {
        assert_eq!(expired[member], export[member], "{member} is still known");
    }
    assert_eq!(expired["download"], Value::Null);
    let download = format!("/v1/exports/{id}/download");
    let problem = http.get(&download).await.problem(410, "export_expired");
    assert_eq!(problem["allowed_actions"][1]["rel"], "retry");
    let problem = http.cancel(&id).await;
    let problem = problem.problem(409, "export_already_finished");
    assert_eq!(problem["detail"], "The export is expired.");
    let actions = problem["allowed_actions"].as_array().expect("actions");
    let rels: Vec<&str> = actions
        .iter()
        .filter_map(|one| one["rel"].as_str())
        .collect();
    assert_eq!(rels, ["self", "delete", "retry"]);
    eventually("the file is gone", async || {
        server.objects_of(&id).is_empty().then_some(())
    })
    .await;

    ended("29 days");
    http.get(&download).await.problem(410, "export_expired");
    ended("31 days");
    eventually("the record is gone", async || {
        let answer = http.get(&format!("/v1/exports/{id}")).await;
        (answer.status == 404).then_some(())
    })
    .await;
    http.knows_nothing_of(&id).await;
    let (deleted, _) = http.exported(&export_of(&by_status())).await;
    let id = text(&deleted["id"]);
    ledger.psql(&format!(
        "UPDATE waybill.exports SET expires_at = now() WHERE id = '{id}'"
    ));
    http.export_once(&id, "expired").await;
    http.delete(&id).await.expect(204);
    http.knows_nothing_of(&id).await;
    let other = http.export(&text(&kept["id"])).await;
    assert!(
        http.file_of(&other).await == file,
        "another's time is not over"
    );
}
