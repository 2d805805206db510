-- Finds which of the given recordings the caller may see.
-- $1 ids. Rows: the visible ones.
--
-- Reads the columns of the key too: a caller without the privilege for these must not learn that a key exists.
SELECT recordings.id
FROM @extschema@.recordings
WHERE recordings.id OPERATOR(pg_catalog.=) ANY ($1)
    AND (recordings.owner_user_id, recordings.source_app, recordings.source_metadata) IS NOT NULL
