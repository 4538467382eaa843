//! The statements that both engines say alike, one constant each; what they do not is beside its use.
//!
//! For the words in braces see [`statement`](super::statement). Spans are what the engine reckons with:
//! an interval, or microseconds. Whoever listens to PostgreSQL hears of each change by a trigger (see
//! `migrations/postgres`).

pub(super) const GET: &str = "
SELECT * FROM {waybill}exports
WHERE id = $1 AND org_id = $2 AND ($3 IS NULL OR made_by = $3)";

pub(super) const LIST: &str = "
SELECT * FROM {waybill}exports
WHERE org_id = $1
  AND ($2 IS NULL OR made_by = $2)
  AND ($3 IS NULL OR id < $3)
  AND ($4 IS NULL OR status = $4)
  AND ($5 IS NULL OR dataset = $5)
ORDER BY id DESC
LIMIT $6";

/// What is unfinished; how many ended in the last $2, and since when.
pub(super) const ACTIVITY: &str = "
SELECT (SELECT count(*) FROM {waybill}exports
        WHERE org_id = $1 AND status IN ('queued', 'running')) AS active,
       count(*) AS ended,
       min(completed_at) AS first_end,
       {now} AS now
FROM {waybill}exports
WHERE org_id = $1 AND completed_at >= {now} - $2";

pub(super) const CANCEL: &str = "
UPDATE {waybill}exports
SET status = 'cancelled', revision = revision + 1, lease_expires_at = NULL, completed_at = {now}
WHERE id = $1 AND org_id = $2 AND ($3 IS NULL OR made_by = $3)
  AND status IN ('queued', 'running')
RETURNING *";

/// A lease is nothing that clients see.
pub(super) const RENEW: &str = "
UPDATE {waybill}exports
SET lease_expires_at = {now} + $3, progress_rows = $4, progress_bytes = $5,
    estimated_rows = coalesce($6, estimated_rows),
    revision = revision + CASE
        WHEN progress_rows = $4 AND progress_bytes = $5
             AND estimated_rows IS NOT DISTINCT FROM coalesce($6, estimated_rows) THEN 0
        ELSE 1
    END
WHERE id = $1 AND epoch = $2 AND status = 'running'";

pub(super) const HOLDS: &str = "
SELECT EXISTS (
    SELECT 1 FROM {waybill}exports WHERE id = $1 AND epoch = $2 AND status = 'running'
  )";

pub(super) const ISOLATE: &str = "
UPDATE {waybill}exports SET alone = TRUE
WHERE id = $1 AND epoch = $2 AND status = 'running'";

pub(super) const RECORD_UPLOAD: &str = "
UPDATE {waybill}uploads SET upload_id = $3
WHERE export_id = $1 AND epoch = $2
  AND EXISTS (
    SELECT 1 FROM {waybill}exports WHERE id = $1 AND epoch = $2 AND status = 'running'
  )";

/// Back to the queue after $3, or the end when $3 is NULL or the last attempt is over.
pub(super) const FAIL: &str = "
UPDATE {waybill}exports
SET failures = failures + 1, revision = revision + 1, lease_expires_at = NULL,
    status         = CASE WHEN $3 IS NULL OR failures + 1 >= max_attempts THEN 'failed' ELSE 'queued' END,
    completed_at   = CASE WHEN $3 IS NULL OR failures + 1 >= max_attempts THEN {now} END,
    failure_code   = CASE WHEN $3 IS NULL OR failures + 1 >= max_attempts THEN $4 END,
    failure_detail = CASE WHEN $3 IS NULL OR failures + 1 >= max_attempts THEN $5 END,
    run_after      = coalesce({now} + $3, run_after),
    materialized_at = NULL, source_updated_at = NULL, progress_rows = 0, progress_bytes = 0
WHERE id = $1 AND epoch = $2 AND status = 'running'
RETURNING status, run_after";

/// Where $4 says that it was an outage, the claim and the pause are a part of it.
pub(super) const HAND_BACK: &str = "
UPDATE {waybill}exports
SET status = 'queued', revision = revision + 1, lease_expires_at = NULL, run_after = {now} + $3,
    outage = outage + CASE WHEN $4 THEN {greatest}({now} - started_at, {no_time}) + $3
                           ELSE {no_time} END,
    outage_counted_until = CASE WHEN $4 THEN {now} + $3 END,
    materialized_at = NULL, source_updated_at = NULL, progress_rows = 0, progress_bytes = 0
WHERE id = $1 AND epoch = $2 AND status = 'running'
RETURNING run_after";

/// Every lease where $1 says so, else those that have lapsed.
pub(super) const REQUEUE_LAPSED: &str = "
UPDATE {waybill}exports
SET failures = failures + CASE WHEN alone THEN 1 ELSE 0 END, suspect = TRUE, alone = FALSE,
    revision = revision + 1, lease_expires_at = NULL, run_after = {now},
    status         = CASE WHEN alone AND failures + 1 >= max_attempts THEN 'failed' ELSE 'queued' END,
    completed_at   = CASE WHEN alone AND failures + 1 >= max_attempts THEN {now} END,
    failure_code   = CASE WHEN alone AND failures + 1 >= max_attempts THEN 'worker_lost' END,
    failure_detail = CASE WHEN alone AND failures + 1 >= max_attempts
                          THEN 'The processes that worked on this export stopped before its end, every time.' END,
    materialized_at = NULL, source_updated_at = NULL, progress_rows = 0, progress_bytes = 0
WHERE id IN (
    SELECT id FROM {waybill}exports
    WHERE status = 'running' AND ($1 OR lease_expires_at < {now})
    ORDER BY id
    {skip_locked}
  )
RETURNING id, status, run_after";

/// What asks for more than version $3 is woken by those who know it.
pub(super) const WAITING: &str = "
SELECT id, {now} AS now FROM {waybill}exports
WHERE status = 'queued' AND run_after <= {now} - $1 AND spec_version <= $3
ORDER BY run_after, id
LIMIT $2";

/// $1 is the longest pause, $2 the length of a new lease.
pub(super) const BOUND_WAITS: &str = "
UPDATE {waybill}exports
SET run_after        = CASE WHEN status = 'queued' THEN {now} ELSE run_after END,
    lease_expires_at = CASE WHEN status = 'running' THEN {now} + $2 END
WHERE status = 'queued' AND run_after > {now} + $1
   OR status = 'running' AND lease_expires_at > {now} + $2 + $2";

pub(super) const GIVE_UP: &str = "
UPDATE {waybill}exports
SET status = 'failed', revision = revision + 1, completed_at = {now},
    failure_code = $2, failure_detail = $3
WHERE id IN (
    SELECT id FROM {waybill}exports
    WHERE status = 'queued' AND outage > {no_time} AND outage >= $1
    ORDER BY outage DESC
    LIMIT $4
    {skip_locked}
  )
RETURNING id";

pub(super) const PURGE: &str = "
DELETE FROM {waybill}exports
WHERE id IN (
    SELECT id FROM {waybill}exports
    WHERE status IN ('failed', 'cancelled', 'expired')
      AND coalesce(expires_at, completed_at) <= {now} - $1
    ORDER BY coalesce(expires_at, completed_at)
    LIMIT $2
    {skip_locked}
  )";

pub(super) const FORGET_KEYS: &str = "
DELETE FROM {waybill}idempotency_keys WHERE created_at <= {now} - $1";

pub(super) const TAKE: &str = "
UPDATE {waybill}leftovers SET look_at = {now} + $1
WHERE object_key IN (
    SELECT object_key FROM {waybill}leftovers
    WHERE look_at <= {now}
    ORDER BY look_at
    LIMIT $2
    {skip_locked}
  )
RETURNING object_key, upload_id, looks";

pub(super) const LOOK_AGAIN: &str = "
UPDATE {waybill}leftovers SET looks = looks + 1, look_at = {now} + $2 WHERE object_key = $1";

pub(super) const FORGET: &str = "DELETE FROM {waybill}leftovers WHERE object_key = $1";

/// Backlog, counted along its partial index and no further than is asked for.
pub(super) const COUNT_QUEUED: &str = "
SELECT count(*) FROM (
    SELECT 1 FROM {waybill}exports WHERE status = 'queued' LIMIT $1
  ) AS queued";

/// What is too old, or whose export is gone, gives way.
pub(super) const KEEP_KEY: &str = "
INSERT INTO {waybill}idempotency_keys (org_id, made_by, key, request, export_id, created_at)
VALUES ($1, $2, $3, $4, $5, {now})
ON CONFLICT (org_id, made_by, key) DO UPDATE
SET request = EXCLUDED.request, export_id = EXCLUDED.export_id, created_at = EXCLUDED.created_at
WHERE idempotency_keys.created_at <= {now} - $6
   OR NOT EXISTS (SELECT 1 FROM {waybill}exports WHERE id = idempotency_keys.export_id)";

pub(super) const POINT_KEY: &str = "
UPDATE {waybill}idempotency_keys SET export_id = $4
WHERE org_id = $1 AND made_by = $2 AND key = $3";

/// The request that a key stands for, and its export.
pub(super) const KEPT: &str = "
SELECT kept.request AS kept_request, exports.*
FROM {waybill}idempotency_keys AS kept
JOIN {waybill}exports ON exports.id = kept.export_id
WHERE kept.org_id = $1 AND kept.made_by = $2 AND kept.key = $3 AND kept.created_at > {now} - $4";

/// One whose data was not read yet, or one that was completed with data that is young enough.
pub(super) const SHARED: &str = "
SELECT * FROM (
    SELECT * FROM {waybill}exports WHERE request = $1 AND joinable LIMIT 1
  ) AS unread
UNION ALL
SELECT * FROM (
    SELECT * FROM {waybill}exports
    WHERE request = $1 AND status = 'completed' AND expires_at > {now}
      AND materialized_at > {now} - $2
    ORDER BY materialized_at DESC
    LIMIT 1
  ) AS fresh
LIMIT 1";

/// Nothing when the organisation has $15 unfinished ones. For its turn see
/// [`Work::claim_next`](crate::Work::claim_next).
pub(super) const INSERT: &str = "
INSERT INTO {waybill}exports
    (id, org_id, status, dataset, query, format, filename, spec, spec_version, max_attempts, made_by,
     estimated_rows, large, request, joinable, created_at, run_after, turn)
SELECT $1, $2, 'queued', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, {now}, {now}, {greatest}(
    coalesce((SELECT max(turn) + 2 FROM {waybill}exports
              WHERE org_id = $2 AND large = $12 AND status IN ('queued', 'running')), 0),
    coalesce((SELECT turn + 1 FROM {waybill}exports
              WHERE large = $12 AND started_at IS NOT NULL ORDER BY started_at DESC LIMIT 1), 0))
WHERE $15 > (
    SELECT count(*) FROM (
        SELECT 1 FROM {waybill}exports
        WHERE org_id = $2 AND status IN ('queued', 'running')
        LIMIT $15
      ) AS active
  )
RETURNING *";
