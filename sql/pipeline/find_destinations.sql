-- The bank and the vault that a recording goes to.
-- $1 owners, $2 banks asked for, $3 vaults asked for (NULL: none). Rows: the position from 1, the bank's id (NULL: the
-- owner is no member of the bank, or has no personal bank), the vault's id (NULL: there is no such vault in that bank).
--
-- The membership decides, for every caller: row-level security may be bypassed, this may not. Being a guest in somebody
-- else's personal bank does not make it one's own, hence the role. In a bank that people share, the personal vault is
-- the one the owner is a member of, never another's.
SELECT asked.position, bank.id, vault.id
FROM (
    SELECT
        pg_catalog.generate_subscripts($1, 1) AS position,
        pg_catalog.unnest($1) AS owner_user_id,
        pg_catalog.unnest($2) AS bank_id,
        pg_catalog.unnest($3) AS vault_id
) AS asked
LEFT JOIN LATERAL (
    SELECT banks.id, banks.type::pg_catalog.text OPERATOR(pg_catalog.=) 'personal' AS is_personal
    FROM @extschema@.bank_memberships AS membership
    JOIN @extschema@.banks ON banks.id OPERATOR(pg_catalog.=) membership.bank_id
    WHERE membership.user_id OPERATOR(pg_catalog.=) asked.owner_user_id
        AND CASE
            WHEN asked.bank_id IS NOT NULL THEN banks.id OPERATOR(pg_catalog.=) asked.bank_id
            ELSE banks.type::pg_catalog.text OPERATOR(pg_catalog.=) 'personal'
                AND membership.role::pg_catalog.text OPERATOR(pg_catalog.~~) '%owner'
        END
    ORDER BY banks.id
    LIMIT 1
) AS bank ON true
LEFT JOIN LATERAL (
    SELECT vaults.id
    FROM @extschema@.vaults
    LEFT JOIN @extschema@.vault_memberships AS membership
        ON membership.vault_id OPERATOR(pg_catalog.=) vaults.id
        AND membership.user_id OPERATOR(pg_catalog.=) asked.owner_user_id
    WHERE vaults.bank_id OPERATOR(pg_catalog.=) bank.id
        AND CASE
            WHEN asked.vault_id IS NOT NULL THEN vaults.id OPERATOR(pg_catalog.=) asked.vault_id
            ELSE vaults.vault_type::pg_catalog.text OPERATOR(pg_catalog.=) 'personal'
                AND (bank.is_personal OR membership.user_id IS NOT NULL)
        END
    ORDER BY membership.user_id IS NULL, vaults.id
    LIMIT 1
) AS vault ON true
ORDER BY asked.position
