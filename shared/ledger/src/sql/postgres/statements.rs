//! The ledger's statements for PostgreSQL, one constant each.
//!
//! The clock is always the server's: `now()`, the beginning of the transaction. Durations come in
//! seconds. Whoever listens hears of each change by a trigger (see `migrations/postgres`).

pub(super) const GET: &str = "
SELECT * FROM waybill.exports
WHERE id = $1 AND org_id = $2 AND ($3::text IS NULL OR made_by = $3)";

pub(super) const LIST: &str = "
SELECT * FROM waybill.exports
WHERE org_id = $1
  AND ($2::text IS NULL OR made_by = $2)
  AND ($3::text IS NULL OR id < $3)
  AND ($4::text IS NULL OR status = $4)
  AND ($5::text IS NULL OR dataset = $5)
ORDER BY id DESC
LIMIT $6";

/// A row for each lane.
pub(super) const BACKLOG: &str = "
SELECT lane.large,
       (SELECT count(*) FROM waybill.exports
        WHERE status = 'queued' AND large = lane.large) AS queued,
       (SELECT count(*) FROM waybill.exports
        WHERE status = 'running' AND large = lane.large) AS running,
       (SELECT extract(epoch FROM now() - min(run_after))::float8 FROM waybill.exports
        WHERE status = 'queued' AND large = lane.large AND run_after <= now()) AS oldest,
       claims.claimed,
       claims.span
FROM (VALUES (FALSE), (TRUE)) AS lane (large)
CROSS JOIN LATERAL (
    SELECT count(*) AS claimed, extract(epoch FROM now() - min(started_at))::float8 AS span
    FROM waybill.exports
    WHERE large = lane.large AND started_at >= now() - make_interval(secs => $1)
  ) AS claims";

pub(super) const ACTIVITY: &str = "
SELECT (SELECT count(*) FROM waybill.exports
        WHERE org_id = $1 AND status IN ('queued', 'running')),
       count(*),
       extract(epoch FROM now() - min(completed_at))::float8
FROM waybill.exports
WHERE org_id = $1 AND completed_at >= now() - make_interval(secs => $2)";

/// The export in front of its lane: of the large one where $2 allows, else of the small one. Whoever
/// claims at the same time takes the next one instead of waiting for this one. Exports of the datasets
/// $3 are passed over.
pub(super) const CLAIM_NEXT: &str = "
WITH large AS (
    SELECT id FROM waybill.exports
    WHERE $2 AND status = 'queued' AND large AND run_after <= now() AND dataset <> ALL($3)
    ORDER BY turn, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
), small AS (
    SELECT id FROM waybill.exports
    WHERE status = 'queued' AND NOT large AND run_after <= now() AND dataset <> ALL($3)
      AND NOT EXISTS (SELECT FROM large)
    ORDER BY turn, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
UPDATE waybill.exports
SET status = 'running', epoch = epoch + 1, revision = revision + 1,
    started_at = now(), lease_expires_at = now() + make_interval(secs => $1), alone = FALSE,
    materialized_at = NULL, source_updated_at = NULL, progress_rows = 0, progress_bytes = 0
WHERE status = 'queued'
  AND id = coalesce((SELECT id FROM large), (SELECT id FROM small))
RETURNING *";

/// A lease is nothing that clients see.
pub(super) const RENEW: &str = "
UPDATE waybill.exports
SET lease_expires_at = now() + make_interval(secs => $3), progress_rows = $4, progress_bytes = $5,
    estimated_rows = coalesce($6, estimated_rows),
    revision = revision + (progress_rows <> $4 OR progress_bytes <> $5
                           OR estimated_rows IS DISTINCT FROM coalesce($6, estimated_rows))::int
WHERE id = $1 AND epoch = $2 AND status = 'running'";

pub(super) const HOLDS: &str = "
SELECT EXISTS (SELECT FROM waybill.exports WHERE id = $1 AND epoch = $2 AND status = 'running')";

pub(super) const ISOLATE: &str = "
UPDATE waybill.exports SET alone = TRUE
WHERE id = $1 AND epoch = $2 AND status = 'running'";

/// Also records that an upload may begin. Its id is not known yet.
pub(super) const RECORD_SNAPSHOT: &str = "
WITH reading AS (
    UPDATE waybill.exports
    SET materialized_at = $3, source_updated_at = $4,
        estimated_rows = coalesce($5, estimated_rows),
        revision = revision + 1
    WHERE id = $1 AND epoch = $2 AND status = 'running'
    RETURNING id, epoch
)
INSERT INTO waybill.uploads (object_key, upload_id, export_id, epoch)
SELECT $6, '', id, epoch FROM reading
ON CONFLICT (object_key) DO UPDATE SET upload_id = uploads.upload_id";

pub(super) const RECORD_UPLOAD: &str = "
UPDATE waybill.uploads SET upload_id = $3
WHERE export_id = $1 AND epoch = $2
  AND EXISTS (SELECT FROM waybill.exports WHERE id = $1 AND epoch = $2 AND status = 'running')";

/// Publishes, and drops the upload's record with it.
pub(super) const COMPLETE: &str = "
WITH published AS (
    UPDATE waybill.exports
    SET status = 'completed', revision = revision + 1, lease_expires_at = NULL,
        completed_at = now(), expires_at = now() + make_interval(secs => $3),
        object_key = $4, row_count = $5, limit_reached = $6, size_bytes = $7, sha256 = $8,
        progress_rows = $5, progress_bytes = $7
    WHERE id = $1 AND epoch = $2 AND status = 'running'
    RETURNING object_key
), forgotten AS (
    DELETE FROM waybill.uploads USING published
    WHERE uploads.object_key = published.object_key
)
SELECT FROM published";

/// Back to the queue after $3, or the end when $3 is NULL or the last attempt is over.
pub(super) const FAIL: &str = "
UPDATE waybill.exports
SET failures = failures + 1, revision = revision + 1, lease_expires_at = NULL,
    status         = CASE WHEN $3::float8 IS NULL OR failures + 1 >= max_attempts THEN 'failed' ELSE 'queued' END,
    completed_at   = CASE WHEN $3::float8 IS NULL OR failures + 1 >= max_attempts THEN now() END,
    failure_code   = CASE WHEN $3::float8 IS NULL OR failures + 1 >= max_attempts THEN $4 END,
    failure_detail = CASE WHEN $3::float8 IS NULL OR failures + 1 >= max_attempts THEN $5 END,
    run_after      = coalesce(now() + make_interval(secs => $3::float8), run_after),
    materialized_at = NULL, source_updated_at = NULL, progress_rows = 0, progress_bytes = 0
WHERE id = $1 AND epoch = $2 AND status = 'running'
RETURNING status, run_after";

/// Where $4 says that it was an outage, the claim and the pause are a part of it.
pub(super) const HAND_BACK: &str = "
UPDATE waybill.exports
SET status = 'queued', revision = revision + 1, lease_expires_at = NULL,
    run_after = now() + make_interval(secs => $3),
    outage = outage + CASE WHEN $4 THEN greatest(now() - started_at, '0') + make_interval(secs => $3)
                           ELSE '0' END,
    outage_counted_until = CASE WHEN $4 THEN now() + make_interval(secs => $3) END,
    materialized_at = NULL, source_updated_at = NULL, progress_rows = 0, progress_bytes = 0
WHERE id = $1 AND epoch = $2 AND status = 'running'
RETURNING run_after";

pub(super) const CANCEL: &str = "
UPDATE waybill.exports
SET status = 'cancelled', revision = revision + 1, lease_expires_at = NULL, completed_at = now()
WHERE id = $1 AND org_id = $2 AND ($3::text IS NULL OR made_by = $3)
  AND status IN ('queued', 'running')
RETURNING *";

/// The file goes by its leftover, and what a running attempt writes by the record of its upload.
pub(super) const DELETE: &str = "
WITH gone AS (
    DELETE FROM waybill.exports
    WHERE id = $1 AND org_id = $2 AND ($3::text IS NULL OR made_by = $3)
    RETURNING object_key
), left_over AS (
    INSERT INTO waybill.leftovers (object_key, look_at)
    SELECT object_key, now() FROM gone WHERE object_key IS NOT NULL
    ON CONFLICT (object_key) DO NOTHING
)
SELECT FROM gone";

/// In one walk along the primary key.
pub(super) const GET_MANY: &str = "SELECT * FROM waybill.exports WHERE id = ANY($1)";

pub(super) const REVISIONS: &str = "SELECT id, revision FROM waybill.exports WHERE id = ANY($1)";

/// Ours and the queue's.
pub(super) const NEWEST_MIGRATIONS: &str = "
SELECT (SELECT max(version) FROM waybill.migrations WHERE success),
       (SELECT max(version) FROM apalis._sqlx_migrations WHERE success)";

/// In one order, so that processes that do the same at once do not wait for each other in a circle.
pub(super) const RECORD_RUNNABLE: &str = "
INSERT INTO waybill.runnable_sources (source, seen_at)
SELECT DISTINCT source, now() FROM unnest($1::text[]) AS source ORDER BY source
ON CONFLICT (source) DO UPDATE SET seen_at = excluded.seen_at";

/// What another process claims or counts at the same time is left to it.
pub(super) const COUNT_OUTAGE: &str = "
WITH waiting AS (
    SELECT id FROM waybill.exports
    WHERE status = 'queued' AND run_after <= now() AND dataset = ANY($2)
      AND NOT EXISTS (
        SELECT FROM waybill.runnable_sources
        WHERE source = $1 AND seen_at > now() - make_interval(secs => $4)
      )
    ORDER BY id
    FOR UPDATE SKIP LOCKED
)
UPDATE waybill.exports
SET outage = outage + least(greatest(now() - greatest(outage_counted_until, run_after), '0'),
                            make_interval(secs => $3)),
    outage_counted_until = now()
FROM waiting
WHERE exports.id = waiting.id";
