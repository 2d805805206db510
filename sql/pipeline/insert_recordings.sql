-- Inserts recordings, in the order given. The dedup index decides which are new; a violation of any other unique index
-- is an error, for what is dropped without a word is lost.
-- One array a column, one element each a recording; tags are literals of arrays, for arrays of arrays have to be of one
-- length. Rows: the ids of those that went in.
INSERT INTO @extschema@.recordings (
    id, bank_id, owner_user_id, source_app, source_metadata, title, full_transcript, summary, audio_url, video_url,
    global_tags, duration, recording_start_time, recording_end_time, synced_at
)
SELECT
    given.id,
    given.bank_id,
    given.owner_user_id,
    given.source_app,
    COALESCE(given.source_metadata, '{}')
        OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object('external_id', given.external_id),
    given.title,
    given.full_transcript,
    given.summary,
    given.audio_url,
    given.video_url,
    given.global_tags::pg_catalog.text[],
    given.duration,
    given.recording_start_time,
    given.recording_end_time,
    pg_catalog.now()
FROM (
    SELECT
        pg_catalog.unnest($1) AS id,
        pg_catalog.unnest($2) AS bank_id,
        pg_catalog.unnest($3) AS owner_user_id,
        pg_catalog.unnest($4) AS source_app,
        pg_catalog.unnest($5) AS external_id,
        pg_catalog.unnest($6) AS source_metadata,
        pg_catalog.unnest($7) AS title,
        pg_catalog.unnest($8) AS full_transcript,
        pg_catalog.unnest($9) AS summary,
        pg_catalog.unnest($10) AS audio_url,
        pg_catalog.unnest($11) AS video_url,
        pg_catalog.unnest($12) AS global_tags,
        pg_catalog.unnest($13) AS duration,
        pg_catalog.unnest($14) AS recording_start_time,
        pg_catalog.unnest($15) AS recording_end_time
) AS given
ON CONFLICT (owner_user_id, source_app, (source_metadata OPERATOR(pg_catalog.->>) 'external_id')) DO NOTHING
RETURNING id
