-- Deletes the recordings that go.
-- $1 these recordings.
DELETE FROM @extschema@.recordings AS recording
WHERE recording.id OPERATOR(pg_catalog.=) ANY ($1)
