-- Creates what Supabase has and plain PostgreSQL lacks: users, auth.uid() and the API's roles.
-- bootstrap_auth() runs this file if there is no schema auth.

-- Creates missing roles. Roles belong to the whole server: another database may have created them.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'anon') THEN
        CREATE ROLE anon NOLOGIN NOINHERIT;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'authenticated') THEN
        CREATE ROLE authenticated NOLOGIN NOINHERIT;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'service_role') THEN
        CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS;
    END IF;
END
$$;

CREATE SCHEMA auth;
COMMENT ON SCHEMA auth IS 'Users and JWT claims, as Supabase has them; made by connector_pipeline.bootstrap_auth()';
GRANT USAGE ON SCHEMA auth TO anon, authenticated, service_role;

CREATE TABLE auth.users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email text UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE auth.users IS 'Users; the API''s roles can''t read it';

CREATE FUNCTION auth.uid() RETURNS uuid
LANGUAGE sql STABLE
RETURN COALESCE(
    NULLIF(current_setting('request.jwt.claim.sub', true), ''),
    NULLIF(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
)::uuid;
COMMENT ON FUNCTION auth.uid() IS 'The user of the JWT that PostgREST has checked, or NULL';
REVOKE ALL ON FUNCTION auth.uid() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.uid() TO anon, authenticated, service_role;

-- The owner of the database creates tables that reference users, as on Supabase.
GRANT USAGE ON SCHEMA auth TO pg_database_owner;
GRANT SELECT, REFERENCES ON TABLE auth.users TO pg_database_owner;
GRANT EXECUTE ON FUNCTION auth.uid() TO pg_database_owner;
