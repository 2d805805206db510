-- Deletes the vault entries that are merged into others.
-- $1 these entries.
DELETE FROM @extschema@.vault_entries AS entry
WHERE entry.id OPERATOR(pg_catalog.=) ANY ($1)
