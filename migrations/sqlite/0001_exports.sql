-- Instants are microseconds since 1970-01-01T00:00:00Z.
CREATE TABLE exports (
    id                TEXT    PRIMARY KEY NOT NULL,
    org_id            TEXT    NOT NULL,
    status            TEXT    NOT NULL CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled', 'expired')),
    dataset           TEXT    NOT NULL,
    query             TEXT    NOT NULL,
    format            TEXT    NOT NULL,
    filename          TEXT    NOT NULL,
    revision          INTEGER NOT NULL DEFAULT 1,
    epoch             INTEGER NOT NULL DEFAULT 0,
    failures          INTEGER NOT NULL DEFAULT 0,
    max_attempts      INTEGER NOT NULL,
    created_at        INTEGER NOT NULL,
    run_after         INTEGER NOT NULL,
    lease_expires_at  INTEGER,
    started_at        INTEGER,
    completed_at      INTEGER,
    expires_at        INTEGER,
    materialized_at   INTEGER,
    source_updated_at INTEGER,
    progress_rows     INTEGER NOT NULL DEFAULT 0,
    progress_bytes    INTEGER NOT NULL DEFAULT 0,
    estimated_rows    INTEGER,
    object_key        TEXT,
    row_count         INTEGER,
    limit_reached     INTEGER,
    size_bytes        INTEGER,
    sha256            TEXT,
    failure_code      TEXT,
    failure_detail    TEXT,
    -- The API key that asked; NULL where no keys are asked for.
    made_by           TEXT,
    CHECK ((status = 'running') = (lease_expires_at IS NOT NULL)),
    CHECK ((status IN ('completed', 'expired')) = (sha256 IS NOT NULL)),
    CHECK ((status = 'failed') = (failure_code IS NOT NULL))
) STRICT;

-- list_exports: an organisation's exports, newest first (ids rise with time).
CREATE INDEX exports_by_org ON exports (org_id, id);
-- claim_next and the backlog's size.
CREATE INDEX exports_waiting ON exports (run_after, id) WHERE status = 'queued';
-- Lapsed leases.
CREATE INDEX exports_leased ON exports (lease_expires_at) WHERE status = 'running';
-- The drain rate.
CREATE INDEX exports_by_start ON exports (started_at) WHERE started_at IS NOT NULL;

-- Multipart uploads, each recorded before its first part and dropped when it is published or gone.
CREATE TABLE uploads (
    object_key TEXT    PRIMARY KEY NOT NULL,
    upload_id  TEXT    NOT NULL,
    export_id  TEXT    NOT NULL,
    epoch      INTEGER NOT NULL
) STRICT;

-- Who may ask. Of a secret there is only its hash; a key without datasets may use all of them.
CREATE TABLE api_keys (
    id            TEXT    PRIMARY KEY NOT NULL,
    org_id        TEXT    NOT NULL,
    role          TEXT    NOT NULL CHECK (role IN ('viewer', 'admin')),
    datasets      TEXT,
    secret_sha256 BLOB    NOT NULL CHECK (length(secret_sha256) = 32),
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER,
    revoked_at    INTEGER
) STRICT;
