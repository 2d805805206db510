-- Reports what goes, as it is now.
-- A row for each recording, and one without a removed recording where only entries are merged.
-- $1 the recordings that go, $2 for each the one that stays, $3 the entries that are merged into others.
-- Rows: the columns of merge_duplicates().
WITH pair AS (
    SELECT given.removed_id, given.kept_id, given.position
    FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2))
        WITH ORDINALITY AS given (removed_id, kept_id, position)
),
merged AS (
    SELECT
        entry.recording_id,
        pg_catalog.jsonb_agg(pg_catalog.to_jsonb(entry.*) ORDER BY entry.id) AS entries,
        pg_catalog.count(*) AS number
    FROM pg_catalog.unnest($3) AS given (id)
    JOIN @extschema@.vault_entries AS entry ON entry.id OPERATOR(pg_catalog.=) given.id
    GROUP BY entry.recording_id
),
had AS (
    SELECT entry.recording_id, pg_catalog.count(*) AS number
    FROM pair
    JOIN @extschema@.vault_entries AS entry ON entry.recording_id OPERATOR(pg_catalog.=) pair.removed_id
    GROUP BY entry.recording_id
)
SELECT
    COALESCE(pair.kept_id, merged.recording_id),
    pair.removed_id,
    pg_catalog.to_jsonb(recording.*),
    CASE
        WHEN pair.removed_id IS NULL THEN 0
        ELSE COALESCE(had.number, 0) OPERATOR(pg_catalog.-) COALESCE(merged.number, 0)
    END::integer,
    COALESCE(merged.entries, '[]')
FROM pair
LEFT JOIN @extschema@.recordings AS recording ON recording.id OPERATOR(pg_catalog.=) pair.removed_id
LEFT JOIN had ON had.recording_id OPERATOR(pg_catalog.=) pair.removed_id
FULL JOIN merged ON merged.recording_id OPERATOR(pg_catalog.=) pair.removed_id
ORDER BY pair.position, merged.recording_id
