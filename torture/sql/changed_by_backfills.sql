-- Counts recordings of backfills whose contents differ from their record.
SELECT count(*)
FROM recordings
LEFT JOIN torture.archive ON archive.n::text = recordings.source_metadata ->> 'external_id'
WHERE recordings.source_app = 'archive'
    AND (
        recordings.owner_user_id::text, recordings.title, recordings.full_transcript, recordings.duration,
        recordings.recording_start_time, recordings.source_metadata
    ) IS DISTINCT FROM (
        record ->> 'owner_user_id', record ->> 'title', record ->> 'full_transcript', (record ->> 'duration')::integer,
        (record ->> 'recording_start_time')::timestamptz, jsonb_build_object('external_id', archive.n::text)
    )
