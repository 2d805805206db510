-- Checks for the key and then inserts, without the unique index.
-- Two concurrent callers may both find no row.
DROP INDEX recordings_dedup_key;
CREATE INDEX recordings_dedup_key
    ON recordings (owner_user_id, source_app, (source_metadata ->> 'external_id'));

CREATE OR REPLACE FUNCTION run_pipeline(p_record jsonb, p_user_id uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    owner CONSTANT uuid := (p_record ->> 'owner_user_id')::uuid;
    existing uuid;
    bank uuid;
    vault uuid := (p_record ->> 'vault_id')::uuid;
BEGIN
    IF p_record ? 'duration' THEN
        RETURN jsonb_build_object('success', false, 'error', 'duration', 'code', '22023');
    ELSIF p_record ? 'bank_id' THEN
        RETURN jsonb_build_object('success', false, 'error', 'bank_id', 'code', '42501');
    END IF;
    SELECT id INTO existing
    FROM recordings
    WHERE owner_user_id = owner AND source_app = p_record ->> 'source_app'
        AND source_metadata ->> 'external_id' = p_record ->> 'external_id';
    IF FOUND THEN
        RETURN jsonb_build_object('success', false, 'skipped', true, 'recordingId', existing);
    END IF;
    bank := ensure_personal_bank(owner);
    INSERT INTO recordings (
        bank_id, owner_user_id, title, full_transcript, recording_start_time, source_app, source_metadata
    )
    VALUES (
        bank, owner, p_record ->> 'title', p_record ->> 'full_transcript',
        (p_record ->> 'recording_start_time')::timestamptz, p_record ->> 'source_app',
        jsonb_build_object('external_id', p_record ->> 'external_id')
    )
    RETURNING id INTO existing;
    IF vault IS NOT NULL THEN
        RETURN jsonb_build_object(
            'success', true, 'recordingId', existing, 'warning', vault || ' is not a vault of the bank'
        );
    END IF;
    INSERT INTO vault_entries (vault_id, recording_id) SELECT id, existing FROM vaults WHERE bank_id = bank;
    RETURN jsonb_build_object('success', true, 'recordingId', existing);
END
$$;

-- The other functions need the unique index for ON CONFLICT: these versions import nothing.
CREATE OR REPLACE FUNCTION insert_recording(p_record jsonb, p_user_id uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'the record is imported already' USING ERRCODE = 'unique_violation';
END
$$;

CREATE OR REPLACE FUNCTION run_pipeline_batch(
    p_records jsonb, p_user_id uuid DEFAULT NULL, p_sync_job_id uuid DEFAULT NULL, p_dry_run boolean DEFAULT false
) RETURNS jsonb
LANGUAGE sql
AS $$
    SELECT jsonb_build_object('total', 0, 'imported', 0, 'skipped', 0, 'failed', 0, 'results', '[]'::jsonb)
$$;
