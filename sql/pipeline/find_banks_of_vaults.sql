-- Finds the bank of each vault, where the owner is a member of that bank.
-- $1 owners, $2 vaults: one element each a request. Rows: the position from 1, the bank's id.
-- In no order, and OFFSET: see find_duplicates.sql.
SELECT asked.position, vault.bank_id
FROM (
    SELECT
        @position@ AS position,
        @each@($1) AS owner_user_id,
        @each@($2) AS vault_id
) AS asked
CROSS JOIN LATERAL (
    SELECT vaults.bank_id
    FROM @extschema@.vaults
    JOIN @extschema@.bank_memberships AS membership ON membership.bank_id OPERATOR(pg_catalog.=) vaults.bank_id
    WHERE vaults.id OPERATOR(pg_catalog.=) asked.vault_id
        AND membership.user_id OPERATOR(pg_catalog.=) asked.owner_user_id
    OFFSET 0
) AS vault
