-- B4, step 5: the vault entry. $1 vault, $2 recording.
INSERT INTO vault_entries (vault_id, recording_id) VALUES ($1, $2)
