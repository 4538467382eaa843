//! The statements of the upkeep for PostgreSQL, as in [`super::super::statements`].

pub(super) const NOW: &str = "SELECT now()";

/// What another process takes at the same time is left to it.
pub(super) const REQUEUE_LAPSED: &str = "
WITH lapsed AS (
    SELECT id, failures + alone::int AS failures, alone AND failures + 1 >= max_attempts AS is_end
    FROM waybill.exports
    WHERE status = 'running' AND ($1 OR lease_expires_at < now())
    ORDER BY id
    FOR UPDATE SKIP LOCKED
)
UPDATE waybill.exports
SET failures = lapsed.failures, suspect = TRUE, alone = FALSE,
    revision = revision + 1, lease_expires_at = NULL, run_after = now(),
    status         = CASE WHEN is_end THEN 'failed' ELSE 'queued' END,
    completed_at   = CASE WHEN is_end THEN now() END,
    failure_code   = CASE WHEN is_end THEN 'worker_lost' END,
    failure_detail = CASE WHEN is_end
                          THEN 'The processes that worked on this export stopped before its end, every time.' END,
    materialized_at = NULL, source_updated_at = NULL, progress_rows = 0, progress_bytes = 0
FROM lapsed
WHERE exports.id = lapsed.id
RETURNING exports.id, exports.status, exports.run_after";

pub(super) const WAITING: &str = "
SELECT id, now() FROM waybill.exports
WHERE status = 'queued' AND run_after <= now() - make_interval(secs => $1)
ORDER BY run_after, id
LIMIT $2";

pub(super) const BOUND_WAITS: &str = "
UPDATE waybill.exports
SET run_after        = CASE WHEN status = 'queued' THEN now() ELSE run_after END,
    lease_expires_at = CASE WHEN status = 'running' THEN now() + make_interval(secs => $2) END
WHERE status = 'queued' AND run_after > now() + make_interval(secs => $1)
   OR status = 'running' AND lease_expires_at > now() + make_interval(secs => 2 * $2)";

pub(super) const EXPIRE: &str = "
WITH expired AS (
    UPDATE waybill.exports
    SET status = 'expired', revision = revision + 1
    WHERE id IN (
        SELECT id FROM waybill.exports
        WHERE status = 'completed' AND expires_at <= now()
        ORDER BY expires_at
        LIMIT $1
        FOR UPDATE SKIP LOCKED
      )
    RETURNING object_key
), left_over AS (
    INSERT INTO waybill.leftovers (object_key, look_at)
    SELECT object_key, now() FROM expired
    ON CONFLICT (object_key) DO NOTHING
)
SELECT count(*) FROM expired";

pub(super) const PURGE: &str = "
DELETE FROM waybill.exports
WHERE id IN (
    SELECT id FROM waybill.exports
    WHERE status IN ('failed', 'cancelled', 'expired')
      AND coalesce(expires_at, completed_at) <= now() - make_interval(secs => $1)
    ORDER BY coalesce(expires_at, completed_at)
    LIMIT $2
    FOR UPDATE SKIP LOCKED
  )";

pub(super) const FORGET_KEYS: &str = "
DELETE FROM waybill.idempotency_keys WHERE created_at <= now() - make_interval(secs => $1)";

/// Uploads whose claim is over become leftovers. A published file has no record of an upload.
pub(super) const COLLECT: &str = "
WITH over AS (
    DELETE FROM waybill.uploads
    WHERE NOT EXISTS (
        SELECT FROM waybill.exports
        WHERE exports.id = uploads.export_id AND exports.epoch = uploads.epoch
          AND exports.status = 'running'
      )
    RETURNING object_key, upload_id
)
INSERT INTO waybill.leftovers (object_key, upload_id, look_at)
SELECT object_key, upload_id, now() + make_interval(secs => $1) FROM over
ON CONFLICT (object_key) DO NOTHING";

pub(super) const TAKE: &str = "
UPDATE waybill.leftovers
SET look_at = now() + make_interval(secs => $1)
WHERE object_key IN (
    SELECT object_key FROM waybill.leftovers
    WHERE look_at <= now()
    ORDER BY look_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
  )
RETURNING object_key, upload_id, looks";

pub(super) const LOOK_AGAIN: &str = "
UPDATE waybill.leftovers
SET looks = looks + 1, look_at = now() + make_interval(secs => $2)
WHERE object_key = $1";

pub(super) const FORGET: &str = "DELETE FROM waybill.leftovers WHERE object_key = $1";

pub(super) const GIVE_UP: &str = "
UPDATE waybill.exports
SET status = 'failed', revision = revision + 1, completed_at = now(),
    failure_code = $2, failure_detail = $3
WHERE id IN (
    SELECT id FROM waybill.exports
    WHERE status = 'queued' AND outage > '0' AND outage >= make_interval(secs => $1)
    ORDER BY outage DESC
    LIMIT $4
    FOR UPDATE SKIP LOCKED
  )
RETURNING id";
