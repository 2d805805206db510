-- Finds the vault entries of recordings, without those that are merged into others.
-- $1 the recordings, $2 the entries that are merged into others. Rows: the entries.
SELECT entry.id
FROM @extschema@.vault_entries AS entry
WHERE entry.recording_id OPERATOR(pg_catalog.=) ANY ($1)
    AND entry.id OPERATOR(pg_catalog.<>) ALL ($2)
