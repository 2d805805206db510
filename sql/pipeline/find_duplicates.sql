-- Finds the recordings that have the given dedup keys.
-- $1 owners, $2 source apps, $3 external ids: one element per key. Rows: the key's position from 1, a recording's id
-- and created_at; several rows if a key has several recordings (from before the dedup index). Not sorted: a sort would
-- take half the time of a single look-up.
--
-- LATERAL with OFFSET forces one index look-up per key. A plain join, whatever the number of keys, could be planned for
-- the number of elements that the planner assumes in any array, and hash all recordings.
SELECT asked.position, existing.id, existing.created_at::pg_catalog.timestamptz
FROM (
    SELECT
        @position@ AS position,
        @each@($1) AS owner_user_id,
        @each@($2) AS source_app,
        @each@($3) AS external_id
) AS asked
CROSS JOIN LATERAL (
    SELECT recordings.id, recordings.created_at
    FROM @extschema@.recordings
    WHERE recordings.owner_user_id OPERATOR(pg_catalog.=) asked.owner_user_id
        AND recordings.source_app OPERATOR(pg_catalog.=) asked.source_app
        AND (recordings.source_metadata OPERATOR(pg_catalog.->>) 'external_id') OPERATOR(pg_catalog.=) asked.external_id
    OFFSET 0
) AS existing
