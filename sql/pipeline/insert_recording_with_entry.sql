-- Inserts one recording, and puts it into a vault if it went in.
-- $1 to $15 as in insert_recordings.sql, $16 the entry's id, $17 the vault: arrays of one. Rows: the recording's id, or none.
WITH recording AS (
    @insert_recordings@
)
INSERT INTO @extschema@.vault_entries (id, vault_id, recording_id)
SELECT pg_catalog.unnest($16), pg_catalog.unnest($17), recording.id
FROM recording
RETURNING recording_id
