-- Inserts records for a backfill, one in 50 of them invalid, each with its owner.
-- $1 is the first number, $2 the number of records, $3 the owners.
INSERT INTO torture.archive (n, record)
SELECT
    n,
    jsonb_build_object(
        'external_id', n, 'source_app', 'archive', 'title', 'Call ' || n, 'full_transcript', repeat('word ', 40),
        'recording_start_time', '2026-01-31T09:30:00Z', 'duration', CASE WHEN n % 50 = 7 THEN -1 ELSE 60 END,
        'owner_user_id', ($3::uuid[])[1 + n % cardinality($3::uuid[])]
    )
FROM generate_series($1::integer, $1 + $2::integer - 1) AS n
