-- What every database of a benchmark starts with, besides the tables of bootstrap(): owners with a personal bank and
-- vault, and an empty staging table. Run by the owner of the tables.
SELECT ensure_personal_bank(id) FROM auth.users;
-- Autovacuum is off.
ANALYZE banks, bank_memberships, vaults, vault_memberships;

CREATE VIEW personal_vaults AS
SELECT membership.user_id AS owner, banks.id AS bank_id, vaults.id AS vault_id
FROM bank_memberships AS membership
JOIN banks ON banks.id = membership.bank_id
JOIN vaults ON vaults.bank_id = banks.id;

-- Connector records, one a row, as a connector or an export writes them.
CREATE TABLE staged (
    position integer PRIMARY KEY,
    record jsonb NOT NULL
);
-- For the calls as `authenticated`.
GRANT SELECT ON staged TO authenticated;

-- The same records in arrays of 1,000.
CREATE TABLE staged_batches (
    position integer PRIMARY KEY,
    records jsonb NOT NULL
);
