-- For how long it could not run because a database or the store was away, in microseconds. Time behind
-- other exports is none of that.
ALTER TABLE exports ADD COLUMN outage INTEGER NOT NULL DEFAULT 0;
-- Until when that is counted; NULL: nothing is.
ALTER TABLE exports ADD COLUMN outage_counted_until INTEGER;

-- Exports to be given up.
CREATE INDEX exports_outage ON exports (outage) WHERE status = 'queued' AND outage > 0;

-- When a worker last found itself able to run the exports of a source: the source answers it, and so
-- does the store.
CREATE TABLE runnable_sources (
    source  TEXT    PRIMARY KEY NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT;
