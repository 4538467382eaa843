-- The rows of the benchmarks: `bench.rows` of them, in the order in which sessions began, the same on
-- every run. Two of each 22 belong to other organisations, one in eight has not ended.
INSERT INTO sessions
SELECT
    CASE n % 22 WHEN 0 THEN 'org_east' WHEN 11 THEN 'org_west' ELSE 'org_demo' END,
    md5(n::text)::uuid,
    (ARRAY['completed', 'running', 'failed', 'cancelled'])[1 + h / 7 % 4],
    (ARRAY['support-agent', 'researcher', 'code-reviewer', 'triage', 'billing'])[1 + h / 11 % 5],
    (ARRAY[
        'Refund for a duplicate charge',
        'Weekly revenue by region, with notes',
        'Reset a password',
        'Zusammenfassung der Sitzung für Zoë',
        'Why did the import stop',
        'Plan the migration, step by step',
        'Explain the invoice of March',
        'Find the slow query',
        'Translate the release notes',
        'Draft an answer to "Where is my order?"',
        'Review the pull request',
        'Compare two contracts',
        E'List open incidents\nand who works on them',
        '=SUM(A1:A9) does not add up',
        'Clean up the address list',
        'Check the deployment'
    ])[1 + h / 13 % 16],
    started_at,
    CASE WHEN h % 8 > 0 THEN started_at + duration END,
    (started_at AT TIME ZONE 'UTC')::date,
    CASE WHEN h % 8 > 0 THEN (extract(epoch FROM duration) * 1000)::integer END,
    h / 17 % 200000,
    CASE WHEN h % 8 > 0 THEN (h % 1000003) / 1000003.0::double precision END,
    CASE WHEN h % 8 > 0 THEN (h / 19 % 90000000)::numeric(14, 0) / 1000000 END,
    CASE WHEN h % 8 > 0 THEN h % 3 > 0 END,
    jsonb_build_object('channel', (ARRAY['web', 'api', 'mail'])[1 + h / 23 % 3], 'retries', h % 7),
    started_at + duration
FROM (
    SELECT
        n,
        h,
        TIMESTAMPTZ '2026-04-24T00:00:00Z'
            + n * (INTERVAL '30 days' / current_setting('bench.rows')::double precision) AS started_at,
        (h / 29 % 7200000) * INTERVAL '1 millisecond' AS duration
    FROM (
        SELECT n, hashint8extended(n, 0) & 9223372036854775807 AS h
        FROM generate_series(0, current_setting('bench.rows')::bigint - 1) AS n
    ) AS hashed
) AS timed
