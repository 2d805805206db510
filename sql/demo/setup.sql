-- A new demo database: the extension and its tables, three users, two banks, and the records to import. dev/demo runs
-- this once, in one transaction.

-- A time goes into a record with the offset of the session.
SET timezone = 'UTC';
SET client_min_messages = warning;

CREATE EXTENSION connector_pipeline;
-- Users, auth.uid() and the roles of the API, which Supabase has already.
SELECT * FROM connector_pipeline.bootstrap_auth();
SELECT * FROM connector_pipeline.bootstrap();

CREATE SCHEMA demo;
COMMENT ON SCHEMA demo IS 'The records of `make demo` and what became of them';

-- Who is in the calls. Three of them have an account: Ann and Ben sync by hand, as PostgREST lets a browser do it; the
-- connectors of Cara are run by a nightly job with the service key.
CREATE TABLE demo.people (
    name text PRIMARY KEY,
    email text NOT NULL UNIQUE,
    user_id uuid UNIQUE,
    api_role text CHECK (api_role IN ('authenticated', 'service_role')),
    CHECK ((user_id IS NULL) = (api_role IS NULL))
);
INSERT INTO demo.people (name, email, user_id, api_role) VALUES
    ('Ann Lee', 'ann.lee@northwind.example', 'a0000000-0000-4000-8000-000000000001', 'authenticated'),
    ('Ben Ortiz', 'ben.ortiz@northwind.example', 'b0000000-0000-4000-8000-000000000002', 'authenticated'),
    ('Cara Novák', 'cara.novak@fabrikam.example', 'c0000000-0000-4000-8000-000000000003', 'service_role'),
    ('Dana Whitfield', 'dana.whitfield@northwind.example', NULL, NULL),
    ('Emeka Okafor', 'emeka.okafor@contoso.example', NULL, NULL),
    ('Freja Lindqvist', 'freja.lindqvist@contoso.example', NULL, NULL),
    ('Goro Tanaka', 'goro.tanaka@tailspin.example', NULL, NULL),
    ('Hélène Martin', 'helene.martin@tailspin.example', NULL, NULL);

INSERT INTO auth.users (id, email)
SELECT user_id, email
FROM demo.people
WHERE user_id IS NOT NULL;

-- Two businesses. Each user's personal bank is made by the first import.
INSERT INTO banks (id, name, type) VALUES
    ('ba000000-0000-4000-8000-000000000001', 'Northwind', 'business'),
    ('ba000000-0000-4000-8000-000000000002', 'Fabrikam', 'business');
INSERT INTO bank_memberships (bank_id, user_id, role)
SELECT given.bank_id::uuid, people.user_id, given.role
FROM (VALUES
    ('Ann Lee', 'ba000000-0000-4000-8000-000000000001', 'owner'),
    ('Ben Ortiz', 'ba000000-0000-4000-8000-000000000001', 'member'),
    ('Cara Novák', 'ba000000-0000-4000-8000-000000000002', 'owner')
) AS given (name, bank_id, role)
JOIN demo.people USING (name);

-- The people of Northwind share a vault.
INSERT INTO vaults (id, bank_id, name, vault_type) VALUES
    ('fa000000-0000-4000-8000-000000000001', 'ba000000-0000-4000-8000-000000000001', 'Sales calls', 'team');
INSERT INTO vault_memberships (vault_id, user_id, role)
SELECT 'fa000000-0000-4000-8000-000000000001', user_id, role
FROM bank_memberships
WHERE bank_id = 'ba000000-0000-4000-8000-000000000001';

-- What the connectors hand over, in this order, and whose they are.
CREATE TABLE demo.demo_records (
    position integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    imported_by text NOT NULL REFERENCES demo.people,
    record jsonb NOT NULL
);

-- What run_pipeline() answered.
CREATE TABLE demo.results (
    round integer NOT NULL,
    position integer NOT NULL REFERENCES demo.demo_records,
    result jsonb NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    PRIMARY KEY (round, position)
);

\ir conversations.sql
\ir fathom.sql
\ir zoom.sql
\ir youtube.sql
\ir file-upload.sql
\ir special-cases.sql
\ir import.sql

ANALYZE demo.people, demo.demo_records;
