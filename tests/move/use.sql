-- Checks skips, imports and retries in a moved database.
-- An old record must be skipped with its id, a new record imported with its vault entry, and failed records retried.
SELECT set_config('request.jwt.claims', '{"role": "authenticated", "sub": "a0000000-0000-4000-8000-000000000001"}', false);
SET ROLE authenticated;
BEGIN;
SELECT id AS known FROM recordings WHERE source_metadata ->> 'external_id' = '7' \gset
SELECT
    run_pipeline(record) = jsonb_build_object('success', false, 'skipped', true, 'recordingId', :'known') AS is_skipped,
    run_pipeline(record || '{"external_id": "new"}') ->> 'success' = 'true' AS is_imported
FROM staging
WHERE record ->> 'external_id' = '7' \gset
SELECT count(*) = 1 AS has_entry
FROM recordings
JOIN vault_entries ON recording_id = recordings.id
WHERE source_metadata ->> 'external_id' = 'new' \gset
SELECT (retry_failed_imports() ->> 'failed')::integer = 5 AS is_retried \gset
SELECT
    CASE WHEN :'is_skipped' THEN 'an old record is skipped' END,
    CASE WHEN :'is_imported' AND :'has_entry' THEN 'a new one is imported' END,
    CASE WHEN :'is_retried' THEN 'failed ones are retried' END;
ROLLBACK;
