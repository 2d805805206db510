-- A backfill: 20,000 old calls of one user, in chunks of 4,000, each committed. Run again, it finds them all there.

SET client_min_messages = warning;
CREATE TABLE IF NOT EXISTS demo.old_calls AS
SELECT
    number AS id,
    'Call ' || number AS title,
    'Ann: ' || repeat('so, where were we? ', 20 + number % 80) AS transcript,
    timestamptz '2024-01-01 09:00Z' + number * interval '30 minutes' AS began_at
FROM generate_series(1, 20000) AS number;

RESET client_min_messages;
\echo 'CALL connector_pipeline.backfill(:query, :user, 4000)'
CALL connector_pipeline.backfill(
    $$
        SELECT jsonb_build_object(
            'external_id', id,
            'source_app', 'old-system',
            'title', title,
            'full_transcript', transcript,
            'recording_start_time', to_char(began_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        )
        FROM demo.old_calls
        ORDER BY id
    $$,
    'c0000000-0000-4000-8000-000000000003',
    4000
);
