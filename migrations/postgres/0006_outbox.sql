-- What has to be told of exports: each end of one, until those who listen have heard it. Told in the
-- order of an export's life, at least once.
CREATE TABLE waybill.outbox (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- completed, failed, cancelled, expired or deleted.
    event        text        NOT NULL,
    export_id    text        COLLATE "C" NOT NULL,
    org_id       text        NOT NULL,
    failure_code text,
    occurred_at  timestamptz NOT NULL,
    -- Deliveries that were begun.
    attempts     integer     NOT NULL DEFAULT 0,
    -- Who has heard already, where others have yet to: names with a space in between.
    heard        text        NOT NULL DEFAULT '',
    due_at       timestamptz NOT NULL
);
CREATE INDEX outbox_due ON waybill.outbox (due_at, id);
CREATE INDEX outbox_by_export ON waybill.outbox (export_id, id);

-- In the statement that changes the export, whichever it is and whatever program it is of: an event is
-- there exactly if its change is. A claim or a renewal tells nothing and calls nothing.
CREATE FUNCTION waybill.record_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO waybill.outbox (event, export_id, org_id, failure_code, occurred_at, due_at)
    VALUES (coalesce(NEW.status, 'deleted'), OLD.id, OLD.org_id, NEW.failure_code, now(), now());
    RETURN NULL;
END
$$;
CREATE TRIGGER record_end AFTER UPDATE OF status ON waybill.exports
    FOR EACH ROW
    WHEN (OLD.status <> NEW.status AND NEW.status IN ('completed', 'failed', 'cancelled', 'expired'))
    EXECUTE FUNCTION waybill.record_event();
-- Of one that had ended without a file, or whose file had gone, the end was told already.
CREATE TRIGGER record_deletion AFTER DELETE ON waybill.exports
    FOR EACH ROW
    WHEN (OLD.status IN ('queued', 'running', 'completed'))
    EXECUTE FUNCTION waybill.record_event();
