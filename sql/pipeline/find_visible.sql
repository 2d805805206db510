-- Which recordings the caller may see.
-- $1 ids (NULL: nothing to look for): one element each. Rows: the position from 1 of each that is visible.
--
-- The columns of the key have to be readable too: who may not read them is not told that a key is there.
SELECT asked.position
FROM (
    SELECT
        pg_catalog.generate_subscripts($1, 1) AS position,
        pg_catalog.unnest($1) AS id
) AS asked
CROSS JOIN LATERAL (
    SELECT recordings.id
    FROM @extschema@.recordings
    WHERE recordings.id OPERATOR(pg_catalog.=) asked.id
        AND (recordings.owner_user_id, recordings.source_app, recordings.source_metadata) IS NOT NULL
    LIMIT 1
) AS visible
