-- Puts recordings into vaults. An entry that is there already, say from a trigger on recordings, is as good.
-- $1 ids, $2 vaults, $3 recordings: one element each an entry. Rows: none.
INSERT INTO @extschema@.vault_entries (id, vault_id, recording_id)
SELECT @each@($1), @each@($2), @each@($3)
ON CONFLICT (vault_id, recording_id) DO NOTHING
