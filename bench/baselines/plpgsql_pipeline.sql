-- B3, PL/pgSQL pipeline: the pipeline as one would write it in PL/pgSQL, with the meaning that the extension gives it:
-- the record is checked as a whole, a duplicate is found before its row is made, bank and vault are looked up by
-- membership, what is wrong with a record ends up in its result, and a vault entry that fails leaves the recording.
CREATE FUNCTION plpgsql_pipeline(p_record jsonb, p_user_id uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    known CONSTANT text[] := ARRAY[
        'external_id', 'source_app', 'title', 'full_transcript', 'recording_start_time', 'recording_end_time',
        'duration', 'bank_id', 'vault_id', 'owner_user_id', 'source_metadata', 'summary', 'audio_url', 'video_url',
        'global_tags'
    ];
    rfc3339 CONSTANT text :=
        '^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$';
    uuid_form CONSTANT text := '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$';
    given record;
    faults text[];
    owner uuid;
    existing uuid;
    bank uuid;
    vault uuid;
    imported uuid;
    result jsonb;
BEGIN
    IF p_record IS NULL OR jsonb_typeof(p_record) <> 'object' THEN
        RETURN jsonb_build_object('success', false, 'error', 'invalid record: it must be an object', 'code', '22023');
    END IF;

    -- From here on it is in memory: with a record that is stored out of line, each -> would fetch it again.
    p_record := p_record || '{}';
    faults := array_remove(
        ARRAY[
            CASE
                WHEN COALESCE(jsonb_typeof(p_record -> 'external_id'), '') NOT IN ('string', 'number')
                    OR p_record ->> 'external_id' ~ '^\s*$'
                    OR jsonb_typeof(p_record -> 'external_id') = 'number' AND p_record ->> 'external_id' ~ '\.'
                    THEN 'external_id must be a string or an integer, and not blank'
            END,
            CASE
                WHEN COALESCE(jsonb_typeof(p_record -> 'source_app'), '') <> 'string'
                    OR p_record ->> 'source_app' ~ '^\s*$'
                    THEN 'source_app must be a string, and not blank'
            END,
            CASE WHEN COALESCE(jsonb_typeof(p_record -> 'title'), '') <> 'string' THEN 'title must be a string' END,
            CASE
                WHEN COALESCE(jsonb_typeof(p_record -> 'full_transcript'), '') <> 'string'
                    THEN 'full_transcript must be a string'
            END,
            CASE
                WHEN COALESCE(jsonb_typeof(p_record -> 'recording_start_time'), '') <> 'string'
                    OR p_record ->> 'recording_start_time' !~ rfc3339
                    THEN 'recording_start_time must be an RFC 3339 timestamp with offset'
            END,
            -- Those that may be absent or null.
            CASE
                WHEN jsonb_typeof(p_record -> 'recording_end_time') NOT IN ('string', 'null')
                    OR p_record ->> 'recording_end_time' !~ rfc3339
                    THEN 'recording_end_time must be an RFC 3339 timestamp with offset'
            END,
            CASE
                WHEN jsonb_typeof(p_record -> 'duration') NOT IN ('number', 'null')
                    OR p_record ->> 'duration' !~ '^\d{1,9}$'
                    THEN 'duration must be an integer number of seconds from 0'
            END,
            CASE
                WHEN jsonb_typeof(p_record -> 'bank_id') NOT IN ('string', 'null')
                    OR p_record ->> 'bank_id' !~ uuid_form
                    THEN 'bank_id must be a uuid'
            END,
            CASE
                WHEN jsonb_typeof(p_record -> 'vault_id') NOT IN ('string', 'null')
                    OR p_record ->> 'vault_id' !~ uuid_form
                    THEN 'vault_id must be a uuid'
            END,
            CASE
                WHEN jsonb_typeof(p_record -> 'owner_user_id') NOT IN ('string', 'null')
                    OR p_record ->> 'owner_user_id' !~ uuid_form
                    THEN 'owner_user_id must be a uuid'
            END,
            CASE
                WHEN jsonb_typeof(p_record -> 'source_metadata') NOT IN ('object', 'null')
                    THEN 'source_metadata must be an object'
            END,
            CASE
                WHEN jsonb_typeof(p_record -> 'summary') NOT IN ('string', 'null') THEN 'summary must be a string'
            END,
            CASE
                WHEN jsonb_typeof(p_record -> 'audio_url') NOT IN ('string', 'null') THEN 'audio_url must be a string'
            END,
            CASE
                WHEN jsonb_typeof(p_record -> 'video_url') NOT IN ('string', 'null') THEN 'video_url must be a string'
            END,
            CASE
                WHEN jsonb_typeof(p_record -> 'global_tags') NOT IN ('array', 'null')
                    OR jsonb_typeof(p_record -> 'global_tags') = 'array'
                    AND jsonb_path_exists(p_record, '$.global_tags[*] ? (@.type() != "string")')
                    THEN 'global_tags must be an array of strings'
            END
        ],
        NULL
    );
    result := '{}';
    IF p_record - known <> '{}' THEN
        result := jsonb_build_object(
            'ignoredFields', (SELECT jsonb_agg(key) FROM jsonb_object_keys(p_record - known) AS key)
        );
    END IF;
    IF faults <> '{}' THEN
        RETURN result || jsonb_build_object(
            'success', false, 'error', 'invalid record: ' || array_to_string(faults, '; '), 'code', '22023'
        );
    END IF;

    SELECT *
    INTO given
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
        recording_end_time timestamptz,
        bank_id uuid,
        vault_id uuid,
        owner_user_id uuid
    );

    IF p_user_id <> given.owner_user_id THEN
        RETURN result || jsonb_build_object(
            'success', false, 'error', 'p_user_id and owner_user_id differ', 'code', '22023'
        );
    END IF;
    owner := COALESCE(p_user_id, given.owner_user_id, auth.uid());
    IF owner IS NULL THEN
        RETURN result || jsonb_build_object('success', false, 'error', 'there is no owner', 'code', '22023');
    END IF;

    SELECT id
    INTO existing
    FROM recordings
    WHERE owner_user_id = owner
        AND source_app = given.source_app
        AND source_metadata ->> 'external_id' = given.external_id
    ORDER BY created_at, id
    LIMIT 1;
    IF FOUND THEN
        RETURN result || jsonb_build_object('success', false, 'skipped', true, 'recordingId', existing);
    END IF;

    BEGIN
        SELECT banks.id
        INTO bank
        FROM bank_memberships AS membership
        JOIN banks ON banks.id = membership.bank_id
        WHERE membership.user_id = owner
            AND CASE
                WHEN given.bank_id IS NOT NULL THEN banks.id = given.bank_id
                ELSE banks.type = 'personal' AND membership.role = 'owner'
            END
        ORDER BY banks.id
        LIMIT 1;
        IF NOT FOUND THEN
            RETURN result || jsonb_build_object(
                'success', false, 'error', 'the owner is not a member of the bank', 'code', '42501'
            );
        END IF;

        INSERT INTO recordings (
            bank_id, owner_user_id, source_app, source_metadata, title, full_transcript, summary, audio_url,
            video_url, global_tags, duration, recording_start_time, recording_end_time, synced_at
        ) VALUES (
            bank, owner, given.source_app,
            COALESCE(given.source_metadata, '{}') || jsonb_build_object('external_id', given.external_id),
            given.title, given.full_transcript, given.summary, given.audio_url, given.video_url, given.global_tags,
            given.duration, given.recording_start_time, given.recording_end_time, now()
        )
        ON CONFLICT (owner_user_id, source_app, (source_metadata ->> 'external_id')) DO NOTHING
        RETURNING id INTO imported;
    EXCEPTION
        -- What is not about the record is the caller's to see.
        WHEN query_canceled OR operator_intervention OR transaction_rollback OR insufficient_resources
            OR internal_error THEN
            RAISE;
        WHEN OTHERS THEN
            RETURN result || jsonb_build_object('success', false, 'error', SQLERRM, 'code', SQLSTATE);
    END;
    IF imported IS NULL THEN
        -- Another session was faster.
        SELECT id
        INTO existing
        FROM recordings
        WHERE owner_user_id = owner
            AND source_app = given.source_app
            AND source_metadata ->> 'external_id' = given.external_id;
        RETURN result || jsonb_build_object('success', false, 'skipped', true, 'recordingId', existing);
    END IF;

    result := result || jsonb_build_object('success', true, 'recordingId', imported);
    BEGIN
        SELECT vaults.id
        INTO vault
        FROM vaults
        WHERE vaults.bank_id = bank
            AND CASE
                WHEN given.vault_id IS NOT NULL THEN vaults.id = given.vault_id
                ELSE vaults.vault_type = 'personal'
            END
        ORDER BY vaults.id
        LIMIT 1;
        IF NOT FOUND THEN
            RAISE WARNING 'no vault entry was made: there is no such vault in the bank';
            RETURN result || jsonb_build_object('warning', 'no vault entry was made: there is no such vault');
        END IF;
        INSERT INTO vault_entries (vault_id, recording_id)
        VALUES (vault, imported)
        ON CONFLICT (vault_id, recording_id) DO NOTHING;
    EXCEPTION
        WHEN query_canceled OR operator_intervention OR transaction_rollback OR insufficient_resources
            OR internal_error THEN
            RAISE;
        WHEN OTHERS THEN
            RAISE WARNING 'no vault entry was made: %', SQLERRM;
            RETURN result || jsonb_build_object('warning', 'no vault entry was made: ' || SQLERRM);
    END;
    RETURN result;
END
$$;
