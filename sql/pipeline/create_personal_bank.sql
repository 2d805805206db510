-- Creates a personal bank with its owner and its personal vault.
-- The roles are literals, not parameters, because they may be labels of an enum.
-- $1 the owner, an array of one. Rows: the bank's id.
WITH owner AS (
    SELECT @each@($1) AS user_id
),
bank AS (
    INSERT INTO @extschema@.banks (name, type)
    SELECT 'Personal', 'personal'
    FROM owner
    RETURNING id
),
membership AS (
    INSERT INTO @extschema@.bank_memberships (bank_id, user_id, role)
    SELECT bank.id, owner.user_id, '@bank_owner@'
    FROM bank, owner
),
vault AS (
    INSERT INTO @extschema@.vaults (bank_id, name, vault_type)
    SELECT bank.id, 'Personal', 'personal'
    FROM bank
    RETURNING id
),
vault_membership AS (
    INSERT INTO @extschema@.vault_memberships (vault_id, user_id, role)
    SELECT vault.id, owner.user_id, '@vault_owner@'
    FROM vault, owner
)
SELECT id FROM bank
