//! The statements of the upkeep for SQLite, as in [`super::super::statements`].

pub(super) const REQUEUE_LAPSED: &str = "
UPDATE exports
SET failures = failures + alone, suspect = TRUE, alone = FALSE,
    revision = revision + 1, lease_expires_at = NULL, run_after = ?1,
    status         = CASE WHEN alone AND failures + 1 >= max_attempts THEN 'failed' ELSE 'queued' END,
    completed_at   = CASE WHEN alone AND failures + 1 >= max_attempts THEN ?1 END,
    failure_code   = CASE WHEN alone AND failures + 1 >= max_attempts THEN 'worker_lost' END,
    failure_detail = CASE WHEN alone AND failures + 1 >= max_attempts
                          THEN 'The processes that worked on this export stopped before its end, every time.' END,
    materialized_at = NULL, source_updated_at = NULL, progress_rows = 0, progress_bytes = 0
WHERE status = 'running' AND (?2 OR lease_expires_at < ?1)
RETURNING id, status";

pub(super) const WAITING: &str = "
SELECT id FROM exports
WHERE status = 'queued' AND run_after <= ?1
ORDER BY run_after, id
LIMIT ?2";

/// ?1 is now, ?2 the end of the longest pause, ?3 of a new lease, ?4 of the longest lease.
pub(super) const BOUND_WAITS: &str = "
UPDATE exports
SET run_after        = CASE WHEN status = 'queued' THEN ?1 ELSE run_after END,
    lease_expires_at = CASE WHEN status = 'running' THEN ?3 END
WHERE status = 'queued' AND run_after > ?2
   OR status = 'running' AND lease_expires_at > ?4";

pub(super) const EXPIRE: &str = "
UPDATE exports
SET status = 'expired', revision = revision + 1
WHERE id IN (
    SELECT id FROM exports
    WHERE status = 'completed' AND expires_at <= ?1
    ORDER BY expires_at
    LIMIT ?2
  )
RETURNING id, object_key";

pub(super) const PURGE: &str = "
DELETE FROM exports
WHERE id IN (
    SELECT id FROM exports
    WHERE status IN ('failed', 'cancelled', 'expired') AND coalesce(expires_at, completed_at) <= ?1
    ORDER BY coalesce(expires_at, completed_at)
    LIMIT ?2
  )";

pub(super) const FORGET_KEYS: &str = "DELETE FROM idempotency_keys WHERE created_at <= ?1";

/// Uploads whose claim is over. A published file has no record of an upload.
pub(super) const OVER: &str = "
DELETE FROM uploads
WHERE NOT EXISTS (
    SELECT 1 FROM exports
    WHERE exports.id = uploads.export_id AND exports.epoch = uploads.epoch
      AND exports.status = 'running'
  )
RETURNING object_key, upload_id";

pub(super) const LEAVE_UPLOAD: &str = "
INSERT INTO leftovers (object_key, upload_id, look_at) VALUES (?1, ?2, ?3)
ON CONFLICT (object_key) DO NOTHING";

pub(super) const TAKE: &str = "
UPDATE leftovers
SET look_at = ?2
WHERE object_key IN (
    SELECT object_key FROM leftovers WHERE look_at <= ?1 ORDER BY look_at LIMIT ?3
  )
RETURNING object_key, upload_id, looks";

pub(super) const LOOK_AGAIN: &str = "
UPDATE leftovers SET looks = looks + 1, look_at = ?2 WHERE object_key = ?1";

pub(super) const FORGET: &str = "DELETE FROM leftovers WHERE object_key = ?1";

pub(super) const GIVE_UP: &str = "
UPDATE exports
SET status = 'failed', revision = revision + 1, completed_at = ?1,
    failure_code = ?3, failure_detail = ?4
WHERE id IN (
    SELECT id FROM exports
    WHERE status = 'queued' AND outage > 0 AND outage >= ?2
    ORDER BY outage DESC
    LIMIT ?5
  )
RETURNING id";
