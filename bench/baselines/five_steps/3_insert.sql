-- B4, step 3: the recording. The client has read the record and hands over its columns.
-- $1 bank, $2 owner, $3 source, $4 metadata with the external id, $5 title, $6 transcript, $7 duration, $8 start.
INSERT INTO recordings (
    bank_id, owner_user_id, source_app, source_metadata, title, full_transcript, duration, recording_start_time, synced_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::timestamptz, now())
RETURNING id
