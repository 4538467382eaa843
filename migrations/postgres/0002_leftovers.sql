-- What has to go from the store: uploads and objects of attempts that are over without a published
-- file, and files of exports that expired or were deleted. It is looked at again after it was removed,
-- for what a late attempt may still have written.
CREATE TABLE waybill.leftovers (
    object_key text        COLLATE "C" PRIMARY KEY,
    -- NULL: there is no upload under this key; empty: one may have been begun, its id was not recorded.
    upload_id  text,
    looks      integer     NOT NULL DEFAULT 0,
    look_at    timestamptz NOT NULL
);
CREATE INDEX leftovers_due ON waybill.leftovers (look_at);

ALTER TABLE waybill.exports
    -- A process died while it ran: from then on it runs alone.
    ADD COLUMN suspect boolean NOT NULL DEFAULT false,
    -- Its process runs nothing else at the moment.
    ADD COLUMN alone   boolean NOT NULL DEFAULT false;

-- Files whose retention is over.
CREATE INDEX exports_by_expiry ON waybill.exports (expires_at) WHERE status = 'completed';
-- Records whose retention is over.
CREATE INDEX exports_by_end ON waybill.exports ((coalesce(expires_at, completed_at)))
    WHERE status IN ('failed', 'cancelled', 'expired');

-- What clients cannot see is not told of, and deletions are.
CREATE OR REPLACE FUNCTION waybill.tell_of_export() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('waybill.exports', coalesce(NEW.id, OLD.id));
    RETURN NULL;
END
$$;
DROP TRIGGER tell_of_export ON waybill.exports;
CREATE TRIGGER tell_of_export AFTER INSERT ON waybill.exports
    FOR EACH ROW EXECUTE FUNCTION waybill.tell_of_export();
CREATE TRIGGER tell_of_change AFTER UPDATE ON waybill.exports
    FOR EACH ROW WHEN (OLD.revision <> NEW.revision) EXECUTE FUNCTION waybill.tell_of_export();
CREATE TRIGGER tell_of_deletion AFTER DELETE ON waybill.exports
    FOR EACH ROW EXECUTE FUNCTION waybill.tell_of_export();
