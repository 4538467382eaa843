-- Its lane: expected to have more rows than `exports.large_rows`, or nobody knew.
ALTER TABLE exports ADD COLUMN large INTEGER NOT NULL DEFAULT 0;
-- Its place in the lane: an organisation's exports stand behind each other, a newcomer's first one right
-- behind what was started last.
ALTER TABLE exports ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
-- SHA-256 of who asked for what.
ALTER TABLE exports ADD COLUMN request TEXT;
-- Whether the same request joins it: its data was not read yet. Never again after that, though another
-- attempt may read anew.
ALTER TABLE exports ADD COLUMN joinable INTEGER NOT NULL DEFAULT 0;

CREATE TRIGGER no_longer_joinable AFTER UPDATE ON exports
    WHEN NEW.joinable AND (NEW.materialized_at IS NOT NULL OR NEW.status NOT IN ('queued', 'running'))
BEGIN
    UPDATE exports SET joinable = 0 WHERE id = NEW.id;
END;

-- Decides which of two identical requests starts an export.
CREATE UNIQUE INDEX exports_joinable ON exports (request) WHERE joinable;
-- Completed exports that may answer an identical request.
CREATE INDEX exports_reusable ON exports (request, materialized_at) WHERE status = 'completed';
-- claim_next.
CREATE INDEX exports_by_turn ON exports (large, turn, id) WHERE status = 'queued';
-- How many unfinished exports an organisation has, and the turn of the last one.
CREATE INDEX exports_active ON exports (org_id, large, turn) WHERE status IN ('queued', 'running');
-- The drain of a lane, and what was started last in it.
CREATE INDEX exports_started ON exports (large, started_at) WHERE started_at IS NOT NULL;
-- The drain of an organisation.
CREATE INDEX exports_ended ON exports (org_id, completed_at) WHERE completed_at IS NOT NULL;

-- What was answered to a request with an `Idempotency-Key`. A row whose export is gone is worth nothing.
CREATE TABLE idempotency_keys (
    org_id     TEXT    NOT NULL,
    -- The API key that asked; empty where no keys are asked for.
    made_by    TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    request    TEXT    NOT NULL,
    export_id  TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, made_by, key)
) STRICT;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- When a key was used last, to the minute.
ALTER TABLE api_keys ADD COLUMN last_used_at INTEGER;
