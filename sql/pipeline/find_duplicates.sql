-- Which of the keys asked for are imported already, and as what.
-- $1 owners, $2 source apps, $3 external ids: one element each a key. Rows: the key's position from 1, a recording's id and
-- time; several where a key has several recordings (from before the dedup index). No order, for a sort would be half the
-- work of one look-up.
--
-- LATERAL with OFFSET makes it a look-up a key. As a plain join it would be planned for the thousand keys that the
-- planner supposes in any array, as a hash of all recordings, for one key too.
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
