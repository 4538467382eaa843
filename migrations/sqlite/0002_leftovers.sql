-- What has to go from the store: uploads and objects of attempts that are over without a published
-- file, and files of exports that expired or were deleted. It is looked at again after it was removed,
-- for what a late attempt may still have written.
CREATE TABLE leftovers (
    object_key TEXT    PRIMARY KEY NOT NULL,
    -- NULL: there is no upload under this key; empty: one may have been begun, its id was not recorded.
    upload_id  TEXT,
    looks      INTEGER NOT NULL DEFAULT 0,
    look_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX leftovers_due ON leftovers (look_at);

-- A process died while it ran: from then on it runs alone.
ALTER TABLE exports ADD COLUMN suspect INTEGER NOT NULL DEFAULT 0;
-- Its process runs nothing else at the moment.
ALTER TABLE exports ADD COLUMN alone INTEGER NOT NULL DEFAULT 0;

-- Files whose retention is over.
CREATE INDEX exports_by_expiry ON exports (expires_at) WHERE status = 'completed';
-- Records whose retention is over.
CREATE INDEX exports_by_end ON exports (coalesce(expires_at, completed_at))
    WHERE status IN ('failed', 'cancelled', 'expired');
