-- Fills a database with recordings of two users, failures, a sync run, and a backfill.
INSERT INTO auth.users (id, email) VALUES
    ('a0000000-0000-4000-8000-000000000001', 'ann@example.com'),
    ('b0000000-0000-4000-8000-000000000002', 'ben@example.com');
INSERT INTO banks (name, type) VALUES ('Northwind', 'business');

CREATE TABLE staging AS
SELECT
    jsonb_build_object(
        'external_id', n, 'source_app', 'fathom', 'title', 'Call ' || n, 'full_transcript', repeat('wörd ', n % 50),
        'recording_start_time', '2026-01-31T09:30:00Z', 'duration', CASE WHEN n % 100 = 0 THEN -1 ELSE n END,
        'global_tags', jsonb_build_array('tag ' || n % 7)
    ) AS record
FROM generate_series(1, 500) AS n;

SELECT set_config('request.jwt.claims', '{"role": "authenticated", "sub": "a0000000-0000-4000-8000-000000000001"}', false);
SET ROLE authenticated;
SELECT start_sync_job('fathom') AS job \gset
RESET ROLE;
GRANT SELECT ON staging TO authenticated;
SET ROLE authenticated;
SELECT run_pipeline_batch((SELECT jsonb_agg(record) FROM staging), NULL, :'job');
SELECT finish_sync_job(:'job');
RESET ROLE;
CALL connector_pipeline.backfill('SELECT record FROM staging', 'b0000000-0000-4000-8000-000000000002', 100);
DO $$
BEGIN
    ASSERT (SELECT count(*) = 990 AND count(DISTINCT owner_user_id) = 2 FROM recordings), 'there should be 990 recordings of two owners';
END
$$;
