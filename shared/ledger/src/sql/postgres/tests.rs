//! What a claim costs on a server.

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgPool};
use waybill_config::DatabaseUrl;
use waybill_report::spec::SPEC_VERSION;
use waybill_test_services::postgres::Cluster;

use super::interval::interval;
use super::work::CLAIM_NEXT;
use crate::database::Database;

/// What lies between a claim and its row are index pages, however long the queue is.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_queue_costs_a_claim_no_more_than_a_short_one() {
    const QUEUED: u64 = 100_000;
    const FEW_PAGES: u64 = 100;
    let database = Cluster::shared().database();
    let at = DatabaseUrl::try_from(database.url()).expect("a URL");
    Database::migrate(&at).await.expect("migrations");
    // Without triggers: nobody listens.
    database.psql(&format!(
        "SET session_replication_role = replica;
         INSERT INTO waybill.exports (id, org_id, status, dataset, query, format, filename,
                                      max_attempts, created_at, run_after, large, turn)
         SELECT 'export_' || lpad(to_hex(i), 32, '0'), 'org_' || i % 1000, 'queued', 'd', '{{}}', 'csv', 'f',
                5, now(), now(), i % 2 = 0, i / 1000
         FROM generate_series(1, {QUEUED}) AS i;
         ANALYZE waybill.exports;"
    ));
    let pool = PgPool::connect(&database.url()).await.expect("a server");
    for include_large in [true, false] {
        let mut tx = pool.begin().await.expect("a transaction");
        let explain = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {CLAIM_NEXT}");
        let plan: serde_json::Value = sqlx::query_scalar(AssertSqlSafe(explain))
            .bind(interval(Duration::from_secs(60)))
            .bind(include_large)
            .bind(["another".to_owned()])
            .bind(SPEC_VERSION)
            .fetch_one(&mut *tx)
            .await
            .expect("a plan");
        let plan = &plan[0]["Plan"];
        assert_eq!(plan["Actual Rows"].as_f64(), Some(1.0), "{plan:#}");
        let pages = ["Shared Hit Blocks", "Shared Read Blocks"]
            .map(|member| plan[member].as_u64().expect("a count"))
            .iter()
            .sum::<u64>();
        assert!(pages < FEW_PAGES, "{pages} pages: {plan:#}");
    }
}
