-- Finds the vault of each request.
-- $1 owners, $2 banks, $3 vaults asked for (NULL: none): one element each a request. Rows: the position from 1, a vault's
-- id, whether the owner is a member of it; none where there is no such vault in that bank. Of several one with a membership
-- counts, and of those the least id. In no order, and OFFSET: see find_duplicates.sql.
--
-- In a bank that people share, the personal vault is one that the owner is a member of, never another's.
SELECT asked.position, vault.id, vault.has_member
FROM (
    SELECT
        @position@ AS position,
        @each@($1) AS owner_user_id,
        @each@($2) AS bank_id,
        @each@($3) AS vault_id
) AS asked
CROSS JOIN LATERAL (
    SELECT vaults.id, membership.user_id IS NOT NULL AS has_member
    FROM @extschema@.vaults
    JOIN @extschema@.banks ON banks.id OPERATOR(pg_catalog.=) vaults.bank_id
    LEFT JOIN @extschema@.vault_memberships AS membership
        ON membership.vault_id OPERATOR(pg_catalog.=) vaults.id
        AND membership.user_id OPERATOR(pg_catalog.=) asked.owner_user_id
    WHERE vaults.bank_id OPERATOR(pg_catalog.=) asked.bank_id
        AND CASE
            WHEN asked.vault_id IS NOT NULL THEN vaults.id OPERATOR(pg_catalog.=) asked.vault_id
            ELSE vaults.vault_type::pg_catalog.text OPERATOR(pg_catalog.=) 'personal'
                AND (
                    banks.type::pg_catalog.text OPERATOR(pg_catalog.=) 'personal'
                    OR membership.user_id IS NOT NULL
                )
        END
    OFFSET 0
) AS vault
