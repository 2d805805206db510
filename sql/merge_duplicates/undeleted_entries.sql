-- Finds vault entries that should have been deleted or moved.
-- $1 the entries that are merged into others, $2 the recordings that go. Rows: the entries.
SELECT entry.id
FROM @extschema@.vault_entries AS entry
WHERE entry.id OPERATOR(pg_catalog.=) ANY ($1)
    OR entry.recording_id OPERATOR(pg_catalog.=) ANY ($2)
