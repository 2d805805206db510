-- Creates the database of the tests as on Supabase.
-- A superuser installs the extension, another role owns the database and its tables, and PostgREST logs in as a
-- NOINHERIT role.
SET client_min_messages = warning;

-- The server may have the database and roles of an earlier run.
DROP DATABASE IF EXISTS rpc WITH (FORCE);
SELECT 'CREATE ROLE app_owner LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_owner') \gexec
SELECT 'CREATE ROLE authenticator LOGIN NOINHERIT' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'authenticator') \gexec

CREATE DATABASE rpc TEMPLATE template0 OWNER app_owner;
\connect rpc
SET client_min_messages = warning;
CREATE EXTENSION connector_pipeline;
SELECT connector_pipeline.bootstrap_auth();
GRANT anon, authenticated, service_role TO authenticator;
-- Role for calls with a short statement_timeout. PostgREST reads the settings of roles at its start.
SELECT 'CREATE ROLE hasty' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hasty') \gexec
ALTER ROLE hasty SET statement_timeout = '1s';
GRANT authenticated TO hasty;
GRANT hasty TO authenticator;
SET SESSION AUTHORIZATION app_owner;
SELECT connector_pipeline.bootstrap();
