-- B2L, bare row with look-ups: imports one record into the owner's personal vault, which it looks up by membership.
-- Nothing is checked or caught.
CREATE FUNCTION bare_row_with_lookups(p_record jsonb, p_owner uuid) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    bank uuid;
    vault uuid;
    imported uuid;
BEGIN
    SELECT banks.id
    INTO bank
    FROM bank_memberships AS membership
    JOIN banks ON banks.id = membership.bank_id
    WHERE membership.user_id = p_owner
        AND membership.role = 'owner'
        AND banks.type = 'personal';

    INSERT INTO recordings (
        bank_id, owner_user_id, source_app, source_metadata, title, full_transcript, summary, audio_url, video_url,
        global_tags, duration, recording_start_time, recording_end_time, synced_at
    )
    SELECT
        bank,
        p_owner,
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
    FROM jsonb_to_record(p_record) AS given (
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
    ON CONFLICT (owner_user_id, source_app, (source_metadata ->> 'external_id')) DO NOTHING
    RETURNING id INTO imported;

    IF imported IS NOT NULL THEN
        SELECT vaults.id
        INTO vault
        FROM vaults
        JOIN vault_memberships AS membership ON membership.vault_id = vaults.id
        WHERE vaults.bank_id = bank
            AND vaults.vault_type = 'personal'
            AND membership.user_id = p_owner;
        INSERT INTO vault_entries (vault_id, recording_id) VALUES (vault, imported);
    END IF;
    RETURN imported;
END
$$;
