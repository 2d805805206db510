-- Finds the bank of each request.
-- $1 owners, $2 banks asked for (NULL: none): one element each a request. Rows: the position from 1, a bank's id; none where
-- the owner is no member of the bank asked for, or has no personal bank, and of several personal banks the least id counts.
-- In no order, and OFFSET: see find_duplicates.sql.
--
-- The membership decides, for every caller: row-level security may be bypassed, this may not. Being a guest in somebody
-- else's personal bank does not make it one's own, hence the role.
SELECT asked.position, bank.id
FROM (
    SELECT
        @position@ AS position,
        @each@($1) AS owner_user_id,
        @each@($2) AS bank_id
) AS asked
CROSS JOIN LATERAL (
    SELECT banks.id
    FROM @extschema@.bank_memberships AS membership
    JOIN @extschema@.banks ON banks.id OPERATOR(pg_catalog.=) membership.bank_id
    WHERE membership.user_id OPERATOR(pg_catalog.=) asked.owner_user_id
        AND CASE
            WHEN asked.bank_id IS NOT NULL THEN banks.id OPERATOR(pg_catalog.=) asked.bank_id
            ELSE banks.type::pg_catalog.text OPERATOR(pg_catalog.=) 'personal'
                AND membership.role::pg_catalog.text OPERATOR(pg_catalog.=) ANY (ARRAY['owner', 'bank_owner'])
        END
    OFFSET 0
) AS bank
