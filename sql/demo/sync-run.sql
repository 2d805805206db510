-- A sync run as an edge function makes it, with the JWT of a user: 12 meetings are fetched, of which some are imported
-- already and one goes to a bank that the user does not belong to. Then the user is let in, and retries.

SET client_min_messages = error;

-- Each run of the demo syncs 8 meetings that are new.
CREATE TEMPORARY TABLE fetched AS
SELECT
    jsonb_agg(
        record
            || jsonb_build_object('external_id', number, 'source_metadata', jsonb_build_object('share_id', number))
            || CASE
                WHEN number = last THEN '{"bank_id": "ba000000-0000-4000-8000-000000000002"}'::jsonb
                ELSE '{}'
            END
        ORDER BY number
    ) AS records,
    array_agg(number::text ORDER BY number) AS external_ids
FROM (SELECT 500000000 + 9 * count(*) FROM sync_jobs WHERE type = 'sync') AS run (start)
CROSS JOIN LATERAL generate_series(start - 3, start + 8) AS number
CROSS JOIN LATERAL (VALUES (start + 8)) AS meeting (last)
CROSS JOIN LATERAL (
    SELECT record FROM demo.demo_records WHERE record ->> 'source_app' = 'fathom' ORDER BY position LIMIT 1
) AS template;
-- The first run has no run before it: the three that are there already come from here.
CREATE TEMPORARY TABLE run AS
SELECT count(*) = 0 AS is_first FROM sync_jobs WHERE type = 'sync';
GRANT SELECT ON fetched, run TO authenticated;

SET ROLE authenticated;
SELECT set_config('request.jwt.claims', jsonb_build_object('role', 'authenticated', 'sub', people.user_id)::text, false) AS claims
FROM (VALUES ('a0000000-0000-4000-8000-000000000001')) AS people (user_id) \gset

SELECT count(run_pipeline(record)) AS imported_before
FROM run, fetched, jsonb_path_query(records, '$[0 to 2]') AS record
WHERE is_first \gset

\echo 'SELECT start_sync_job(''fathom'', :external_ids)'
SELECT start_sync_job('fathom', external_ids) AS job FROM fetched \gset
\echo 'SELECT run_pipeline_batch(:records, NULL, :job)'
SELECT run_pipeline_batch(records, NULL, :'job') - 'results' AS run_pipeline_batch FROM fetched;
\echo 'SELECT finish_sync_job(:job)'
SELECT finish_sync_job(:'job');

\ir import-hub.sql

\echo 'The user is let into that bank, and retries. Nothing is fetched again:'
RESET ROLE;
INSERT INTO bank_memberships (bank_id, user_id)
VALUES ('ba000000-0000-4000-8000-000000000002', 'a0000000-0000-4000-8000-000000000001');
SET ROLE authenticated;
SELECT retry_failed_imports('fathom') - 'results' AS retry_failed_imports;
SELECT count(*) AS "failures left" FROM import_failures;

-- For the next run of the demo.
RESET ROLE;
DELETE FROM bank_memberships
WHERE bank_id = 'ba000000-0000-4000-8000-000000000002' AND user_id = 'a0000000-0000-4000-8000-000000000001';
