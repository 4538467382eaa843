//! The statements of accepting for PostgreSQL, as in [`super::super::statements`].

pub(super) const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";

/// Backlog, counted along its partial index and no further than is asked for.
pub(super) const COUNT_QUEUED: &str = "
SELECT count(*) FROM (SELECT FROM waybill.exports WHERE status = 'queued' LIMIT $1) AS queued";

/// What is too old, or whose export is gone, gives way.
pub(super) const KEEP_KEY: &str = "
INSERT INTO waybill.idempotency_keys (org_id, made_by, key, request, export_id, created_at)
VALUES ($1, $2, $3, $4, $5, now())
ON CONFLICT (org_id, made_by, key) DO UPDATE
SET request = EXCLUDED.request, export_id = EXCLUDED.export_id, created_at = EXCLUDED.created_at
WHERE idempotency_keys.created_at <= now() - make_interval(secs => $6)
   OR NOT EXISTS (SELECT FROM waybill.exports WHERE id = idempotency_keys.export_id)";

pub(super) const NAME_EXPORT: &str = "
UPDATE waybill.idempotency_keys SET export_id = $4
WHERE org_id = $1 AND made_by = $2 AND key = $3";

pub(super) const FIRST_REQUEST: &str = "
SELECT request FROM waybill.idempotency_keys
WHERE org_id = $1 AND made_by = $2 AND key = $3
  AND created_at > now() - make_interval(secs => $4)
  AND EXISTS (SELECT FROM waybill.exports WHERE id = idempotency_keys.export_id)";

pub(super) const FIRST_EXPORT: &str = "
SELECT exports.* FROM waybill.exports
JOIN waybill.idempotency_keys AS first ON first.export_id = exports.id
WHERE first.org_id = $1 AND first.made_by = $2 AND first.key = $3";

/// One whose data was not read yet, or one that was completed with data that is young enough.
pub(super) const SHARED: &str = "
(SELECT * FROM waybill.exports WHERE request = $1 AND joinable)
UNION ALL
(SELECT * FROM waybill.exports
 WHERE request = $1 AND status = 'completed' AND expires_at > now()
   AND materialized_at > now() - make_interval(secs => $2::float8)
 ORDER BY materialized_at DESC
 LIMIT 1)
LIMIT 1";

/// Nothing when the organisation has $13 unfinished ones. For its turn see
/// [`Work::claim_next`](crate::Work::claim_next).
pub(super) const INSERT: &str = "
INSERT INTO waybill.exports
    (id, org_id, status, dataset, query, format, filename, max_attempts, made_by, estimated_rows,
     large, request, joinable, created_at, run_after, turn)
SELECT $1, $2, 'queued', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, now(), now(), greatest(
    (SELECT max(turn) + 2 FROM waybill.exports
     WHERE org_id = $2 AND large = $10 AND status IN ('queued', 'running')),
    (SELECT turn + 1 FROM waybill.exports
     WHERE large = $10 AND started_at IS NOT NULL ORDER BY started_at DESC LIMIT 1),
    0)
WHERE $13 > (
    SELECT count(*) FROM (
        SELECT FROM waybill.exports WHERE org_id = $2 AND status IN ('queued', 'running') LIMIT $13
    ) AS active)
RETURNING *";
