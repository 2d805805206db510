-- The vault that a recording goes to.
-- $1 owners, $2 banks, $3 vaults asked for (NULL: none): one element each a request. Rows: the position from 1, the
-- vault's id (NULL: there is no such vault in that bank).
--
-- In a bank that people share, the personal vault is one that the owner is a member of, never another's.
SELECT asked.position, vault.id
FROM (
    SELECT
        pg_catalog.generate_subscripts($1, 1) AS position,
        pg_catalog.unnest($1) AS owner_user_id,
        pg_catalog.unnest($2) AS bank_id,
        pg_catalog.unnest($3) AS vault_id
) AS asked
LEFT JOIN LATERAL (
    SELECT vaults.id
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
    ORDER BY membership.user_id IS NULL, vaults.id
    LIMIT 1
) AS vault ON true
ORDER BY asked.position
