-- Puts recordings into vaults. An entry that is there already, say from a trigger on recordings, is as good.
-- $1 vaults, $2 recordings: one element each an entry. Rows: none.
INSERT INTO @extschema@.vault_entries (vault_id, recording_id)
SELECT pg_catalog.unnest($1), pg_catalog.unnest($2)
ON CONFLICT (vault_id, recording_id) DO NOTHING
