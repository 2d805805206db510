-- Empties all tables except the users and inserts the workload's banks and vaults.
-- Runs as the owner of the tables.
TRUNCATE
    banks, bank_memberships, vaults, vault_memberships, recordings, vault_entries, import_sources, sync_jobs,
    import_failures, torture.ledger, torture.archive;

INSERT INTO banks (id, name, type) VALUES ('@closed_bank@', 'Closed', 'business'), ('@foreign_bank@', 'Foreign', 'business');
INSERT INTO vaults (id, bank_id, name, vault_type) VALUES
    ('@closed_vault@', '@closed_bank@', 'Closed', 'team'),
    ('@foreign_vault@', '@foreign_bank@', 'Foreign', 'team');
