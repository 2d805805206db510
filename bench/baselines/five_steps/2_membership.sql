-- B4, step 2: the owner's personal bank. $1 owner.
SELECT banks.id
FROM bank_memberships AS membership
JOIN banks ON banks.id = membership.bank_id
WHERE membership.user_id = $1
    AND membership.role = 'owner'
    AND banks.type = 'personal'
