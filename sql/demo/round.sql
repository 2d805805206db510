-- One round: imports all records and shows what became of them. Usage: psql --set round=1 --file round.sql

-- What is imported without a vault entry is also logged as a warning.
SET client_min_messages = error;
CALL demo.import(:round);

SELECT
    COALESCE(source_app, 'all') AS source,
    count(*) FILTER (WHERE results.result ->> 'success' = 'true') AS imported,
    count(*) FILTER (WHERE results.result ? 'skipped') AS skipped,
    count(*) FILTER (WHERE results.result ? 'error') AS failed,
    count(*) FILTER (WHERE results.result ? 'warning') AS "with warning"
FROM demo.results
JOIN demo.demo_records USING (position)
CROSS JOIN LATERAL (SELECT demo_records.record ->> 'source_app') AS record (source_app)
WHERE results.round = :round
GROUP BY ROLLUP (source_app)
ORDER BY GROUPING(source_app), source_app;

\pset tuples_only on
\pset format unaligned
SELECT format(
    E'%s records, %s of transcripts, in %s ms: %s ms a record, each in a transaction of its own.\n',
    count(*),
    pg_size_pretty(sum(octet_length(demo_records.record ->> 'full_transcript'))),
    round(total.ms),
    round(total.ms / count(*), 1)
)
FROM demo.results
JOIN demo.demo_records USING (position)
CROSS JOIN (
    SELECT extract(epoch FROM max(ended_at) - min(started_at)) * 1000
    FROM demo.results
    WHERE round = :round
) AS total (ms)
WHERE results.round = :round
GROUP BY total.ms;
