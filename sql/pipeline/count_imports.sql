-- Counts the recordings that a user has from each source.
-- The dedup index begins with these two columns, so that this is an index-only scan.
-- $1 the user, an array of one. Rows: source app, count.
SELECT recordings.source_app::pg_catalog.text, pg_catalog.count(*)
FROM @extschema@.recordings
WHERE recordings.owner_user_id OPERATOR(pg_catalog.=) ANY ($1)
    AND recordings.source_app IS NOT NULL
GROUP BY recordings.source_app
ORDER BY recordings.source_app
