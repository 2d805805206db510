-- Finds which of the given vault entries exist.
-- $1 vaults, $2 recordings: one element per entry. Rows: the positions, from 1, of the entries that exist.
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
