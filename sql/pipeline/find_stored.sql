-- Reads recordings back, after triggers have run.
-- $1 ids. Rows: as insert_recordings.sql returns them, of those that exist.
SELECT
    recordings.id,
    recordings.bank_id,
    recordings.owner_user_id,
    recordings.source_app::pg_catalog.text,
    recordings.source_metadata OPERATOR(pg_catalog.->>) 'external_id'
FROM @extschema@.recordings
WHERE recordings.id OPERATOR(pg_catalog.=) ANY ($1)
