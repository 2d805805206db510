-- Which recordings the caller may see.
-- $1 ids. Rows: those of them that are visible.
--
-- The columns of the key have to be readable too: who may not read them is not told that a key is there.
SELECT recordings.id
FROM @extschema@.recordings
WHERE recordings.id OPERATOR(pg_catalog.=) ANY ($1)
    AND (recordings.owner_user_id, recordings.source_app, recordings.source_metadata) IS NOT NULL
