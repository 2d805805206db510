-- Inserts recordings, in the order given.
-- The dedup index decides which are new. A violation of any other unique index is an error: a skipped record would be
-- lost. One array per column, one element per recording; tags are array literals, because nested arrays must have equal
-- lengths. Rows: the inserted recordings: id, bank, and the key as stored.
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
        @each@($1) AS id,
        @each@($2) AS bank_id,
        @each@($3) AS owner_user_id,
        @each@($4) AS source_app,
        @each@($5) AS external_id,
        @each@($6) AS source_metadata,
        @each@($7) AS title,
        @each@($8) AS full_transcript,
        @each@($9) AS summary,
        @each@($10) AS audio_url,
        @each@($11) AS video_url,
        @each@($12) AS global_tags,
        @each@($13) AS duration,
        @each@($14) AS recording_start_time,
        @each@($15) AS recording_end_time
) AS given
@on_conflict@
RETURNING
    id,
    bank_id,
    owner_user_id,
    source_app::pg_catalog.text,
    source_metadata OPERATOR(pg_catalog.->>) 'external_id'
