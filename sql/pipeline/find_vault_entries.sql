-- Which of the entries asked for are there.
-- $1 vaults, $2 recordings: one element each an entry. Rows: the positions, from 1, of those that are.
-- LATERAL with LIMIT: see find_duplicates.sql.
SELECT asked.position
FROM (
    SELECT
        @position@ AS position,
        @each@($1) AS vault_id,
        @each@($2) AS recording_id
) AS asked
CROSS JOIN LATERAL (
    SELECT
    FROM @extschema@.vault_entries
    WHERE vault_entries.vault_id OPERATOR(pg_catalog.=) asked.vault_id
        AND vault_entries.recording_id OPERATOR(pg_catalog.=) asked.recording_id
    LIMIT 1
) AS existing
