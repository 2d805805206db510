-- Inserts vault entries; skips entries that exist, for example from a trigger on recordings.
-- $1 ids, $2 vaults, $3 recordings: one element per entry. Rows: none.
INSERT INTO @extschema@.vault_entries (id, vault_id, recording_id)
SELECT @each@($1), @each@($2), @each@($3)
ON CONFLICT (vault_id, recording_id) DO NOTHING
