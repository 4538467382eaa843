-- What has to be told of exports: each end of one, until those who listen have heard it. Told in the
-- order of an export's life, at least once.
CREATE TABLE outbox (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    -- completed, failed, cancelled, expired or deleted.
    event        TEXT    NOT NULL,
    export_id    TEXT    NOT NULL,
    org_id       TEXT    NOT NULL,
    failure_code TEXT,
    occurred_at  INTEGER NOT NULL,
    -- Deliveries that were begun.
    attempts     INTEGER NOT NULL DEFAULT 0,
    -- Who has heard already, where others have yet to: names with a space in between.
    heard        TEXT    NOT NULL DEFAULT '',
    due_at       INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_due ON outbox (due_at, id);
CREATE INDEX outbox_by_export ON outbox (export_id, id);

-- In the statement that changes the export, whichever it is: an event is there exactly if its change
-- is. A claim or a renewal tells nothing.
CREATE TRIGGER record_end AFTER UPDATE OF status ON exports
    WHEN OLD.status <> NEW.status AND NEW.status IN ('completed', 'failed', 'cancelled', 'expired')
BEGIN
    INSERT INTO outbox (event, export_id, org_id, failure_code, occurred_at, due_at)
    SELECT NEW.status, NEW.id, NEW.org_id, NEW.failure_code, now, now
    FROM (SELECT CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) AS now);
END;
-- Of one that had ended without a file, or whose file had gone, the end was told already.
CREATE TRIGGER record_deletion AFTER DELETE ON exports
    WHEN OLD.status IN ('queued', 'running', 'completed')
BEGIN
    INSERT INTO outbox (event, export_id, org_id, occurred_at, due_at)
    SELECT 'deleted', OLD.id, OLD.org_id, now, now
    FROM (SELECT CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) AS now);
END;
