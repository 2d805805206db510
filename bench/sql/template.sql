-- What every database of a measurement starts with, beside the tables of bootstrap(): owners with a personal bank and
-- vault, and staging. Run by the owner of the tables.
SELECT ensure_personal_bank(id) FROM auth.users;
-- Where autovacuum is off, nobody else does it.
ANALYZE banks, bank_memberships, vaults, vault_memberships;

CREATE VIEW homes AS
SELECT membership.user_id AS owner, banks.id AS bank_id, vaults.id AS vault_id
FROM bank_memberships AS membership
JOIN banks ON banks.id = membership.bank_id
JOIN vaults ON vaults.bank_id = banks.id;

-- Connector records, as a connector or an export leaves them.
CREATE TABLE staged (
    position integer PRIMARY KEY,
    record jsonb NOT NULL
);
-- The same, by the thousand.
CREATE TABLE staged_batches (
    position integer PRIMARY KEY,
    records jsonb NOT NULL
);
