-- Finds vault entries in vaults of another bank than that of the recording that stays.
-- $1 the recordings that go, $2 for each the one that stays. Rows: the entry, the recording that goes.
SELECT entry.id, entry.recording_id
FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) WITH ORDINALITY AS pair (removed_id, kept_id, position)
JOIN @extschema@.recordings AS kept ON kept.id OPERATOR(pg_catalog.=) pair.kept_id
JOIN @extschema@.vault_entries AS entry ON entry.recording_id OPERATOR(pg_catalog.=) pair.removed_id
JOIN @extschema@.vaults AS vault ON vault.id OPERATOR(pg_catalog.=) entry.vault_id
-- IS DISTINCT FROM would look its operator up by the caller's search_path.
WHERE (vault.bank_id OPERATOR(pg_catalog.=) kept.bank_id) IS NOT TRUE
    AND (vault.bank_id IS NOT NULL OR kept.bank_id IS NOT NULL)
ORDER BY pair.position, entry.id
