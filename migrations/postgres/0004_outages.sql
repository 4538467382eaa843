ALTER TABLE waybill.exports
    -- For how long it could not run because a database or the store was away. Time behind other exports
    -- is none of that.
    ADD COLUMN outage               interval NOT NULL DEFAULT '0',
    -- Until when that is counted; NULL: nothing is.
    ADD COLUMN outage_counted_until timestamptz;

-- Exports to be given up.
CREATE INDEX exports_outage ON waybill.exports (outage) WHERE status = 'queued' AND outage > '0';

-- When a worker last found itself able to run the exports of a source: the source answers it, and so
-- does the store.
CREATE TABLE waybill.runnable_sources (
    source  text        COLLATE "C" PRIMARY KEY,
    seen_at timestamptz NOT NULL
);
