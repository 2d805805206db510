-- Finds the vault of each request.
-- $1 owners, $2 banks, $3 vaults asked for (NULL: none): one element each a request. Rows: the position from 1, a vault's
-- id, whether it was asked for or is the owner's own; none where there is no such vault in that bank. Of several an own one
-- counts, and of those the least id. In no order, and OFFSET: see find_duplicates.sql.
--
-- A personal vault is the owner's own by the role, for people let each other into theirs. One that nobody else owns will
-- do where the owner is a member of it, or owns the personal bank that it lies in.
SELECT asked.position, vault.id, vault.is_own
FROM (
    SELECT
        @position@ AS position,
        @each@($1) AS owner_user_id,
        @each@($2) AS bank_id,
        @each@($3) AS vault_id
) AS asked
CROSS JOIN LATERAL (
    SELECT
        vaults.id,
        asked.vault_id IS NOT NULL
            OR membership.role::pg_catalog.text OPERATOR(pg_catalog.=) ANY (ARRAY['owner', 'vault_owner']) AS is_own
    FROM @extschema@.vaults
    LEFT JOIN @extschema@.vault_memberships AS membership
        ON membership.vault_id OPERATOR(pg_catalog.=) vaults.id
        AND membership.user_id OPERATOR(pg_catalog.=) asked.owner_user_id
    WHERE vaults.bank_id OPERATOR(pg_catalog.=) asked.bank_id
        AND CASE
            WHEN asked.vault_id IS NOT NULL THEN vaults.id OPERATOR(pg_catalog.=) asked.vault_id
            WHEN (vaults.vault_type::pg_catalog.text OPERATOR(pg_catalog.=) 'personal') IS NOT TRUE THEN false
            WHEN membership.role::pg_catalog.text OPERATOR(pg_catalog.=) ANY (ARRAY['owner', 'vault_owner']) THEN true
            ELSE
                -- Policies hide who else is a member.
                NOT pg_catalog.row_security_active('@extschema@.vault_memberships')
                AND NOT EXISTS (
                    SELECT
                    FROM @extschema@.vault_memberships AS other
                    WHERE other.vault_id OPERATOR(pg_catalog.=) vaults.id
                        AND other.role::pg_catalog.text OPERATOR(pg_catalog.=) ANY (ARRAY['owner', 'vault_owner'])
                )
                AND (
                    membership.user_id IS NOT NULL
                    OR EXISTS (
                        SELECT
                        FROM @extschema@.banks
                        JOIN @extschema@.bank_memberships AS ownership
                            ON ownership.bank_id OPERATOR(pg_catalog.=) banks.id
                        WHERE banks.id OPERATOR(pg_catalog.=) vaults.bank_id
                            AND banks.type::pg_catalog.text OPERATOR(pg_catalog.=) 'personal'
                            AND ownership.user_id OPERATOR(pg_catalog.=) asked.owner_user_id
                            AND ownership.role::pg_catalog.text
                                OPERATOR(pg_catalog.=) ANY (ARRAY['owner', 'bank_owner'])
                    )
                )
        END
    OFFSET 0
) AS vault
