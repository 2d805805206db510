-- Creates the database for random queries: the extension, two users and a few rows.
-- The queries run as the owner of the database and its tables, who is not a superuser: a query may do all that an
-- application may do.

DROP DATABASE IF EXISTS sqlsmith WITH (FORCE);
DO $$ BEGIN CREATE ROLE sqlsmith_owner LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
CREATE DATABASE sqlsmith TEMPLATE template0 OWNER sqlsmith_owner;
-- Counts the calls of each function.
ALTER DATABASE sqlsmith SET track_functions = 'all';
\connect sqlsmith
CREATE EXTENSION connector_pipeline;
SELECT count(*) FROM connector_pipeline.bootstrap_auth();
INSERT INTO auth.users (id) VALUES ('00000000-0000-0000-0000-0000000a11ce'), ('00000000-0000-0000-0000-000000000b0b');
SET ROLE sqlsmith_owner;
SELECT count(*) FROM connector_pipeline.bootstrap();
SELECT run_pipeline(jsonb_build_object(
    'external_id', n, 'source_app', 'fathom', 'title', 'Call', 'full_transcript', '',
    'recording_start_time', '2026-01-31T09:30:00Z', 'owner_user_id', id
)) ->> 'success' AS imported
FROM auth.users, generate_series(1, 3) AS n;
SELECT run_pipeline_batch('[7]', id, start_sync_job('fathom', NULL, id)) ->> 'failed' AS failed FROM auth.users;
-- Arguments for the functions: valid and invalid records in a table.
CREATE TABLE records AS
SELECT to_jsonb(r) - 'id' || jsonb_build_object('external_id', gen_random_uuid()) AS record, owner_user_id, id
FROM recordings AS r
UNION ALL
SELECT record, user_id, id FROM import_failures;

-- Limits the functions that sqlsmith finds: among some three thousand, calls of ours would be rare.
-- sqlsmith reads pg_proc through the search_path, where this view has our functions and a few others.
CREATE SCHEMA fewer_functions;
CREATE VIEW fewer_functions.pg_proc AS
SELECT *
FROM pg_catalog.pg_proc
WHERE pronamespace = 'public'::regnamespace OR oid::bigint % 40 = 0 OR proname IN ('to_jsonb', 'gen_random_uuid', 'jsonb_build_array');
ALTER ROLE sqlsmith_owner SET search_path = fewer_functions, pg_catalog, public;
