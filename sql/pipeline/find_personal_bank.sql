-- Finds the personal bank that a user owns. Membership in another user's personal bank does not count.
-- $1 the user, an array of one. Rows: the bank's id, or none.
SELECT banks.id
FROM @extschema@.bank_memberships AS membership
JOIN @extschema@.banks ON banks.id OPERATOR(pg_catalog.=) membership.bank_id
WHERE membership.user_id OPERATOR(pg_catalog.=) ANY ($1)
    AND membership.role::pg_catalog.text OPERATOR(pg_catalog.=) ANY (ARRAY['owner', 'bank_owner'])
    AND banks.type::pg_catalog.text OPERATOR(pg_catalog.=) 'personal'
ORDER BY banks.id
LIMIT 1
