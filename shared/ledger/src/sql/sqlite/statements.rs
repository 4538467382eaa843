//! The ledger's statements for SQLite, one constant each.

pub(super) const GET: &str = "
SELECT * FROM exports
WHERE id = ?1 AND org_id = ?2 AND (?3 IS NULL OR made_by = ?3)";

pub(super) const LIST: &str = "
SELECT * FROM exports
WHERE org_id = ?1
  AND (?2 IS NULL OR made_by = ?2)
  AND (?3 IS NULL OR id < ?3)
  AND (?4 IS NULL OR status = ?4)
  AND (?5 IS NULL OR dataset = ?5)
ORDER BY id DESC
LIMIT ?6";

/// A row for each lane. ?1 is now, ?2 the beginning of what counts for the drain.
pub(super) const BACKLOG: &str = "
SELECT lane.large,
       (SELECT count(*) FROM exports WHERE status = 'queued' AND large = lane.large) AS queued,
       (SELECT count(*) FROM exports WHERE status = 'running' AND large = lane.large) AS running,
       (SELECT (?1 - min(run_after)) / 1e6 FROM exports
        WHERE status = 'queued' AND large = lane.large AND run_after <= ?1) AS oldest,
       (SELECT count(*) FROM exports
        WHERE large = lane.large AND started_at >= ?2) AS claimed,
       (SELECT (?1 - min(started_at)) / 1e6 FROM exports
        WHERE large = lane.large AND started_at >= ?2) AS span
FROM (SELECT FALSE AS large UNION ALL SELECT TRUE) AS lane";

/// ?2 is now, ?3 the beginning of what counts for the drain.
pub(super) const ACTIVITY: &str = "
SELECT (SELECT count(*) FROM exports WHERE org_id = ?1 AND status IN ('queued', 'running')),
       count(*),
       (?2 - min(completed_at)) / 1e6
FROM exports
WHERE org_id = ?1 AND completed_at >= ?3";

/// The export in front of its lane: of the large one where ?3 allows, else of the small one.
pub(super) const CLAIM_NEXT: &str = "
UPDATE exports
SET status = 'running', epoch = epoch + 1, revision = revision + 1,
    started_at = ?1, lease_expires_at = ?2, alone = FALSE,
    materialized_at = NULL, source_updated_at = NULL, progress_rows = 0, progress_bytes = 0
WHERE status = 'queued'
  AND id = coalesce(
    (SELECT id FROM exports
     WHERE ?3 AND status = 'queued' AND large = TRUE AND run_after <= ?1
       AND dataset NOT IN (SELECT value FROM json_each(?4))
     ORDER BY turn, id LIMIT 1),
    (SELECT id FROM exports
     WHERE status = 'queued' AND large = FALSE AND run_after <= ?1
       AND dataset NOT IN (SELECT value FROM json_each(?4))
     ORDER BY turn, id LIMIT 1))
RETURNING *";

/// A lease is nothing that clients see.
pub(super) const RENEW: &str = "
UPDATE exports
SET lease_expires_at = ?3, progress_rows = ?4, progress_bytes = ?5,
    estimated_rows = coalesce(?6, estimated_rows),
    revision = revision + (progress_rows <> ?4 OR progress_bytes <> ?5
                           OR estimated_rows IS NOT coalesce(?6, estimated_rows))
WHERE id = ?1 AND epoch = ?2 AND status = 'running'";

pub(super) const RECORD_SNAPSHOT: &str = "
UPDATE exports
SET materialized_at = ?3, source_updated_at = ?4,
    estimated_rows = coalesce(?5, estimated_rows),
    revision = revision + 1
WHERE id = ?1 AND epoch = ?2 AND status = 'running'";

pub(super) const HOLDS: &str = "
SELECT EXISTS (SELECT 1 FROM exports WHERE id = ?1 AND epoch = ?2 AND status = 'running')";

pub(super) const ISOLATE: &str = "
UPDATE exports SET alone = TRUE
WHERE id = ?1 AND epoch = ?2 AND status = 'running'";

/// An upload may begin. Its id is not known yet.
pub(super) const ANNOUNCE_UPLOAD: &str = "
INSERT INTO uploads (object_key, upload_id, export_id, epoch)
VALUES (?3, '', ?1, ?2)
ON CONFLICT (object_key) DO NOTHING";

pub(super) const RECORD_UPLOAD: &str = "
UPDATE uploads SET upload_id = ?3
WHERE export_id = ?1 AND epoch = ?2
  AND EXISTS (SELECT 1 FROM exports WHERE id = ?1 AND epoch = ?2 AND status = 'running')";

pub(super) const COMPLETE: &str = "
UPDATE exports
SET status = 'completed', revision = revision + 1, lease_expires_at = NULL,
    completed_at = ?3, expires_at = ?4,
    object_key = ?5, row_count = ?6, limit_reached = ?7, size_bytes = ?8, sha256 = ?9,
    progress_rows = ?6, progress_bytes = ?8
WHERE id = ?1 AND epoch = ?2 AND status = 'running'";

/// Back to the queue at ?4, or the end when ?4 is NULL or the last attempt is over.
pub(super) const FAIL: &str = "
UPDATE exports
SET failures = failures + 1, revision = revision + 1, lease_expires_at = NULL,
    status         = CASE WHEN ?4 IS NULL OR failures + 1 >= max_attempts THEN 'failed' ELSE 'queued' END,
    completed_at   = CASE WHEN ?4 IS NULL OR failures + 1 >= max_attempts THEN ?3 END,
    failure_code   = CASE WHEN ?4 IS NULL OR failures + 1 >= max_attempts THEN ?5 END,
    failure_detail = CASE WHEN ?4 IS NULL OR failures + 1 >= max_attempts THEN ?6 END,
    run_after      = coalesce(?4, run_after),
    materialized_at = NULL, source_updated_at = NULL, progress_rows = 0, progress_bytes = 0
WHERE id = ?1 AND epoch = ?2 AND status = 'running'
RETURNING status";

/// Until ?3 it waits. Where ?4 says that it was an outage, that time and the claim are a part of it.
pub(super) const HAND_BACK: &str = "
UPDATE exports
SET status = 'queued', revision = revision + 1, lease_expires_at = NULL, run_after = ?3,
    outage = outage + CASE WHEN ?4 THEN max(?3 - started_at, 0) ELSE 0 END,
    outage_counted_until = CASE WHEN ?4 THEN ?3 END,
    materialized_at = NULL, source_updated_at = NULL, progress_rows = 0, progress_bytes = 0
WHERE id = ?1 AND epoch = ?2 AND status = 'running'";

pub(super) const CANCEL: &str = "
UPDATE exports
SET status = 'cancelled', revision = revision + 1, lease_expires_at = NULL, completed_at = ?4
WHERE id = ?1 AND org_id = ?2 AND (?3 IS NULL OR made_by = ?3)
  AND status IN ('queued', 'running')
RETURNING *";

pub(super) const DELETE: &str = "
DELETE FROM exports
WHERE id = ?1 AND org_id = ?2 AND (?3 IS NULL OR made_by = ?3)
RETURNING object_key";

/// A file that has to go.
pub(super) const LEAVE_FILE: &str = "
INSERT INTO leftovers (object_key, look_at) VALUES (?1, ?2)
ON CONFLICT (object_key) DO NOTHING";

pub(super) const FORGET_UPLOAD: &str = "DELETE FROM uploads WHERE object_key = ?1";

/// The ids come as a JSON array.
pub(super) const GET_MANY: &str =
    "SELECT * FROM exports WHERE id IN (SELECT value FROM json_each(?1))";

pub(super) const REVISIONS: &str =
    "SELECT id, revision FROM exports WHERE id IN (SELECT value FROM json_each(?1))";

pub(super) const NEWEST_MIGRATION: &str =
    "SELECT max(version) FROM waybill_migrations WHERE success";

pub(super) const RECORD_RUNNABLE: &str = "
INSERT INTO runnable_sources (source, seen_at) VALUES (?1, ?2)
ON CONFLICT (source) DO UPDATE SET seen_at = excluded.seen_at";

/// ?1 is now, ?2 the source, ?3 its datasets as a JSON array, ?4 the length of the outage, ?5 when
/// somebody's word is too old.
pub(super) const COUNT_OUTAGE: &str = "
UPDATE exports
SET outage = outage + min(max(?1 - max(coalesce(outage_counted_until, run_after), run_after), 0), ?4),
    outage_counted_until = ?1
WHERE status = 'queued' AND run_after <= ?1 AND dataset IN (SELECT value FROM json_each(?3))
  AND NOT EXISTS (SELECT 1 FROM runnable_sources WHERE source = ?2 AND seen_at > ?5)";
