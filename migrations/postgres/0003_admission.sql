ALTER TABLE waybill.exports
    -- Its lane: expected to have more rows than `exports.large_rows`, or nobody knew.
    ADD COLUMN large    boolean NOT NULL DEFAULT false,
    -- Its place in the lane: an organisation's exports stand behind each other, a newcomer's first one
    -- right behind what was started last.
    ADD COLUMN turn     bigint  NOT NULL DEFAULT 0,
    -- SHA-256 of who asked for what.
    ADD COLUMN request  text,
    -- Whether the same request joins it: its data was not read yet. Never again after that, though
    -- another attempt may read anew.
    ADD COLUMN joinable boolean NOT NULL DEFAULT false;

CREATE FUNCTION waybill.no_longer_joinable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.joinable := false;
    RETURN NEW;
END
$$;
CREATE TRIGGER no_longer_joinable BEFORE UPDATE ON waybill.exports
    FOR EACH ROW
    WHEN (OLD.joinable AND (NEW.materialized_at IS NOT NULL OR NEW.status NOT IN ('queued', 'running')))
    EXECUTE FUNCTION waybill.no_longer_joinable();

-- Decides which of two identical requests starts an export.
CREATE UNIQUE INDEX exports_joinable ON waybill.exports (request) WHERE joinable;
-- Completed exports that may answer an identical request.
CREATE INDEX exports_reusable ON waybill.exports (request, materialized_at) WHERE status = 'completed';
-- claim_next.
CREATE INDEX exports_by_turn ON waybill.exports (large, turn, id) WHERE status = 'queued';
-- How many unfinished exports an organisation has, and the turn of the last one.
CREATE INDEX exports_active ON waybill.exports (org_id, large, turn) WHERE status IN ('queued', 'running');
-- The drain of a lane, and what was started last in it.
CREATE INDEX exports_started ON waybill.exports (large, started_at) WHERE started_at IS NOT NULL;
-- The drain of an organisation.
CREATE INDEX exports_ended ON waybill.exports (org_id, completed_at) WHERE completed_at IS NOT NULL;

-- What was answered to a request with an `Idempotency-Key`. A row whose export is gone is worth nothing.
CREATE TABLE waybill.idempotency_keys (
    org_id     text        NOT NULL,
    -- The API key that asked; empty where no keys are asked for.
    made_by    text        NOT NULL,
    key        text        COLLATE "C" NOT NULL,
    request    text        NOT NULL,
    export_id  text        COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, made_by, key)
);
CREATE INDEX idempotency_keys_by_age ON waybill.idempotency_keys (created_at);

-- When a key was used last, to the minute.
ALTER TABLE waybill.api_keys ADD COLUMN last_used_at timestamptz;
