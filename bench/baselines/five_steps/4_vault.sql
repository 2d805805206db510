-- B4, step 4: the personal vault of the bank. $1 bank.
SELECT id
FROM vaults
WHERE bank_id = $1
    AND vault_type = 'personal'
