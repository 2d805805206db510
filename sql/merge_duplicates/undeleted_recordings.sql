-- Finds recordings that should have been deleted.
-- $1 these recordings. Rows: those that are there.
SELECT recording.id
FROM @extschema@.recordings AS recording
WHERE recording.id OPERATOR(pg_catalog.=) ANY ($1)
