-- Inserts many recordings quickly: short transcripts, but keys of the same kind as those of the staged records.
-- Run without the checks of foreign keys, which these rows satisfy.
-- $1 owner, $2 first number, $3 last number, $4 whether ids sort by time, as the extension's do.
WITH filled AS (
    INSERT INTO recordings (
        id, bank_id, owner_user_id, source_app, source_metadata, title, full_transcript, duration,
        recording_start_time, synced_at
    )
    SELECT
        CASE WHEN $4 THEN uuidv7() ELSE gen_random_uuid() END,
        personal.bank_id,
        $1,
        (ARRAY['fathom', 'fathom', 'fathom', 'fathom', 'fathom', 'zoom', 'zoom', 'zoom', 'youtube', 'file-upload'])[
            1 + number % 10
        ],
        jsonb_build_object('external_id', left(md5('filled ' || number), 16)),
        'Call ' || number,
        'Ann: hello. Ben: hello, Ann.',
        1800,
        timestamptz '2026-01-01 00:00:00Z' + number * interval '1 minute',
        now()
    FROM generate_series($2::integer, $3::integer) AS number, personal_vaults AS personal
    WHERE personal.owner = $1
    RETURNING id
)
INSERT INTO vault_entries (vault_id, recording_id)
SELECT personal.vault_id, filled.id
FROM filled, personal_vaults AS personal
WHERE personal.owner = $1
