-- All that decides the bytes of its file, as one JSON value. NULL where a program wrote the row that knows
-- no more than `query`, `format` and `filename`, which stay for such programs.
ALTER TABLE exports ADD COLUMN spec TEXT;
-- The oldest version of specs that a program must know to run it.
ALTER TABLE exports ADD COLUMN spec_version INTEGER NOT NULL DEFAULT 1;

UPDATE exports
SET spec = '{"query":' || query || ',"format":{"' || format || '":{}},"filename":' || json_quote(filename) || '}';

-- What is queued and asks for more than the first version had: whoever does not know it leaves it alone.
CREATE INDEX exports_newer ON exports (large, spec_version) WHERE status = 'queued' AND spec_version > 1;
