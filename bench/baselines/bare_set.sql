-- B1, bare set: imports staged records with one statement. Nothing is checked or caught: the floor.
-- $1 the owner; $2, $3 the first and the last position in staging. Count: the vault entries made.
--
-- jsonb_to_record reads a record once; with ->> for each column, a record that is stored out of line would be fetched
-- and decompressed for each of them.
WITH imported AS (
    INSERT INTO recordings (
        bank_id, owner_user_id, source_app, source_metadata, title, full_transcript, summary, audio_url, video_url,
        global_tags, duration, recording_start_time, recording_end_time, synced_at
    )
    SELECT
        banks.id,
        membership.user_id,
        given.source_app,
        COALESCE(given.source_metadata, '{}') || jsonb_build_object('external_id', given.external_id),
        given.title,
        given.full_transcript,
        given.summary,
        given.audio_url,
        given.video_url,
        given.global_tags,
        given.duration,
        given.recording_start_time,
        given.recording_end_time,
        now()
    FROM staged
    CROSS JOIN LATERAL jsonb_to_record(staged.record) AS given (
        external_id text,
        source_app text,
        source_metadata jsonb,
        title text,
        full_transcript text,
        summary text,
        audio_url text,
        video_url text,
        global_tags text[],
        duration integer,
        recording_start_time timestamptz,
        recording_end_time timestamptz
    )
    JOIN bank_memberships AS membership ON membership.user_id = $1 AND membership.role = 'owner'
    JOIN banks ON banks.id = membership.bank_id AND banks.type = 'personal'
    WHERE staged.position BETWEEN $2 AND $3
    ON CONFLICT (owner_user_id, source_app, (source_metadata ->> 'external_id')) DO NOTHING
    RETURNING id, bank_id
)
INSERT INTO vault_entries (vault_id, recording_id)
SELECT vaults.id, imported.id
FROM imported
JOIN vaults ON vaults.bank_id = imported.bank_id AND vaults.vault_type = 'personal'
