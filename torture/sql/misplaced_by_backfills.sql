-- Counts recordings of backfills outside of their owner's personal bank and its personal vault.
-- A recording counts once for each of its entries.
SELECT count(*)
FROM recordings
LEFT JOIN vault_entries ON vault_entries.recording_id = recordings.id
LEFT JOIN vaults
    ON vaults.id = vault_entries.vault_id AND vaults.bank_id = recordings.bank_id AND vaults.vault_type = 'personal'
LEFT JOIN banks ON banks.id = recordings.bank_id AND banks.type = 'personal'
LEFT JOIN bank_memberships AS membership
    ON membership.bank_id = recordings.bank_id AND membership.user_id = recordings.owner_user_id
WHERE recordings.source_app = 'archive' AND (vaults.id IS NULL OR banks.id IS NULL OR membership.id IS NULL)
