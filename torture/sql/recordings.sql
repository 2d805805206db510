-- Lists recordings, except those of backfills: dedup key, bank, vaults, and contents of the record.
SELECT
    recordings.source_metadata ->> 'external_id',
    recordings.owner_user_id,
    recordings.source_app,
    recordings.id::text,
    recordings.bank_id,
    EXISTS (
        SELECT
        FROM banks
        JOIN bank_memberships AS membership ON membership.bank_id = banks.id
        WHERE banks.id = recordings.bank_id AND banks.type = 'personal' AND membership.user_id = recordings.owner_user_id
    ),
    ARRAY(SELECT vault_id FROM vault_entries WHERE recording_id = recordings.id),
    NOT EXISTS (
        SELECT
        FROM vault_entries
        JOIN vaults ON vaults.id = vault_entries.vault_id
        WHERE vault_entries.recording_id = recordings.id
            AND (vaults.bank_id, vaults.vault_type) IS DISTINCT FROM (recordings.bank_id, 'personal')
    ),
    jsonb_strip_nulls(
        to_jsonb(recordings)
        - ARRAY['id', 'bank_id', 'owner_user_id', 'source_app', 'created_at', 'synced_at', 'updated_at']
        || jsonb_build_object(
            'recording_start_time',
            to_char(recordings.recording_start_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')
        )
    )
FROM recordings
WHERE recordings.source_app IS DISTINCT FROM 'archive'
