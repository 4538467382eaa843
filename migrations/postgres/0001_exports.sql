CREATE TABLE waybill.exports (
    id                text        COLLATE "C" PRIMARY KEY,
    org_id            text        NOT NULL,
    status            text        NOT NULL CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled', 'expired')),
    dataset           text        NOT NULL,
    query             text        NOT NULL,
    format            text        NOT NULL,
    filename          text        NOT NULL,
    revision          bigint      NOT NULL DEFAULT 1,
    epoch             bigint      NOT NULL DEFAULT 0,
    failures          integer     NOT NULL DEFAULT 0,
    max_attempts      integer     NOT NULL,
    created_at        timestamptz NOT NULL,
    run_after         timestamptz NOT NULL,
    lease_expires_at  timestamptz,
    started_at        timestamptz,
    completed_at      timestamptz,
    expires_at        timestamptz,
    materialized_at   timestamptz,
    source_updated_at timestamptz,
    progress_rows     bigint      NOT NULL DEFAULT 0,
    progress_bytes    bigint      NOT NULL DEFAULT 0,
    estimated_rows    bigint,
    object_key        text,
    row_count         bigint,
    limit_reached     boolean,
    size_bytes        bigint,
    sha256            text,
    failure_code      text,
    failure_detail    text,
    -- The API key that asked; NULL where no keys are asked for.
    made_by           text,
    CHECK ((status = 'running') = (lease_expires_at IS NOT NULL)),
    CHECK ((status IN ('completed', 'expired')) = (sha256 IS NOT NULL)),
    CHECK ((status = 'failed') = (failure_code IS NOT NULL))
);

-- list_exports: an organisation's exports, newest first (ids rise with time).
CREATE INDEX exports_by_org ON waybill.exports (org_id, id);
-- claim_next and the backlog's size.
CREATE INDEX exports_waiting ON waybill.exports (run_after, id) WHERE status = 'queued';
-- Lapsed leases.
CREATE INDEX exports_leased ON waybill.exports (lease_expires_at) WHERE status = 'running';
-- The drain rate.
CREATE INDEX exports_by_start ON waybill.exports (started_at) WHERE started_at IS NOT NULL;

-- Tells every process of every change, once it is committed. On SQLite there is one process, which
-- tells itself.
CREATE FUNCTION waybill.tell_of_export() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('waybill.exports', NEW.id);
    RETURN NULL;
END
$$;
CREATE TRIGGER tell_of_export AFTER INSERT OR UPDATE ON waybill.exports
    FOR EACH ROW EXECUTE FUNCTION waybill.tell_of_export();

-- Multipart uploads, each recorded before its first part and dropped when it is published or gone.
CREATE TABLE waybill.uploads (
    object_key text   COLLATE "C" PRIMARY KEY,
    upload_id  text   NOT NULL,
    export_id  text   COLLATE "C" NOT NULL,
    epoch      bigint NOT NULL
);

-- Who may ask. Of a secret there is only its hash; a key without datasets may use all of them.
CREATE TABLE waybill.api_keys (
    id            text        COLLATE "C" PRIMARY KEY,
    org_id        text        NOT NULL,
    role          text        NOT NULL CHECK (role IN ('viewer', 'admin')),
    datasets      text,
    secret_sha256 bytea       NOT NULL CHECK (length(secret_sha256) = 32),
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz,
    revoked_at    timestamptz
);
