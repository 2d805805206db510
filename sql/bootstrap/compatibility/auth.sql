-- What bootstrap() refers to and is not ours: auth, as somebody else has made it, and the right to create tables.
-- $1 schema. Rows: table, object, what is wrong with it, what to run.
WITH users AS (
    SELECT
        class.oid,
        class.relkind,
        attribute.attnum,
        CASE WHEN type.typtype = 'd' THEN type.typbasetype ELSE type.oid END AS type,
        pg_catalog.format_type(attribute.atttypid, attribute.atttypmod) AS type_name,
        EXISTS (SELECT FROM pg_catalog.pg_index WHERE indrelid = class.oid AND indisprimary) AS has_primary_key,
        EXISTS (
            SELECT
            FROM pg_catalog.pg_index AS index
            WHERE index.indrelid = class.oid
                AND index.indisunique
                AND index.indisvalid
                AND index.indimmediate
                AND index.indpred IS NULL
                AND index.indnkeyatts = 1
                AND index.indkey[0] = attribute.attnum
        ) AS has_key
    FROM pg_catalog.pg_class AS class
    LEFT JOIN pg_catalog.pg_attribute AS attribute
        ON attribute.attrelid = class.oid AND attribute.attname = 'id' AND NOT attribute.attisdropped
    LEFT JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
    WHERE class.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'auth')
        AND class.relname = 'users'
)
SELECT
    'auth',
    'schema auth',
    'can''t be used by ' || current_user,
    pg_catalog.format('GRANT USAGE ON SCHEMA auth TO %I;', current_user)
FROM pg_catalog.pg_namespace AS namespace
WHERE namespace.nspname = 'auth' AND NOT pg_catalog.has_schema_privilege(namespace.oid, 'USAGE')
UNION ALL
SELECT
    'auth.users',
    'relation auth.users',
    CASE users.relkind
        WHEN 'v' THEN 'is a view'
        WHEN 'm' THEN 'is a materialized view'
        WHEN 'f' THEN 'is a foreign table'
        ELSE 'is no table'
    END || ', to which no foreign key can refer',
    '-- Let auth.users be a table with id uuid PRIMARY KEY.'
FROM users
WHERE users.relkind NOT IN ('r', 'p')
UNION ALL
SELECT
    'auth.users',
    'column auth.users.id',
    'is missing, and user ids refer to it',
    'ALTER TABLE auth.users ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE; -- and fill it'
FROM users
WHERE users.relkind IN ('r', 'p') AND users.attnum IS NULL
UNION ALL
SELECT
    'auth.users',
    'column auth.users.id',
    'is of type ' || users.type_name || ', and has to be uuid',
    CASE
        WHEN users.type IN ('integer'::pg_catalog.regtype, 'bigint'::pg_catalog.regtype)
            THEN 'ALTER TABLE auth.users RENAME COLUMN id TO old_id;'
        ELSE 'ALTER TABLE auth.users ALTER COLUMN id TYPE uuid USING id::text::uuid;'
    END
FROM users
WHERE users.relkind IN ('r', 'p') AND users.type <> 'uuid'::pg_catalog.regtype
UNION ALL
SELECT
    'auth.users',
    'table auth.users',
    'has no unique key on id alone, to which foreign keys are to refer',
    CASE
        WHEN users.has_primary_key THEN 'ALTER TABLE auth.users ADD UNIQUE (id);'
        ELSE 'ALTER TABLE auth.users ADD PRIMARY KEY (id);'
    END
FROM users
WHERE users.relkind IN ('r', 'p') AND users.type = 'uuid'::pg_catalog.regtype AND NOT users.has_key
UNION ALL
SELECT
    'auth.users',
    'table auth.users',
    'can''t be referred to by ' || current_user,
    pg_catalog.format('GRANT SELECT, REFERENCES ON TABLE auth.users TO %I;', current_user)
FROM users
WHERE users.relkind IN ('r', 'p')
    AND users.attnum IS NOT NULL
    AND NOT pg_catalog.has_column_privilege(users.oid, users.attnum, 'REFERENCES')
UNION ALL
SELECT
    'auth',
    'function auth.uid()',
    CASE
        WHEN proc.prokind <> 'f' THEN 'is no function'
        WHEN proc.proretset THEN 'gives a set, and has to give one uuid'
        ELSE 'gives ' || pg_catalog.format_type(proc.prorettype, NULL) || ', and has to give uuid'
    END,
    E'ALTER ROUTINE auth.uid() RENAME TO old_uid;\n'
    'CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS ''SELECT auth.old_uid()::text::uuid LIMIT 1'';'
FROM pg_catalog.pg_proc AS proc
WHERE proc.pronamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'auth')
    AND proc.proname = 'uid'
    AND proc.pronargs = 0
    AND (proc.prokind <> 'f' OR proc.proretset OR proc.prorettype <> 'uuid'::pg_catalog.regtype)
UNION ALL
SELECT
    'auth',
    'function auth.uid()',
    'can''t be called by ' || current_user,
    pg_catalog.format('GRANT EXECUTE ON FUNCTION auth.uid() TO %I;', current_user)
FROM pg_catalog.pg_proc AS proc
WHERE proc.pronamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'auth')
    AND proc.proname = 'uid'
    AND proc.pronargs = 0
    AND NOT pg_catalog.has_function_privilege(proc.oid, 'EXECUTE')
UNION ALL
SELECT
    'auth',
    'schema ' || namespace.nspname,
    'takes no tables of ' || current_user,
    pg_catalog.format('GRANT USAGE, CREATE ON SCHEMA %I TO %I;', namespace.nspname, current_user)
FROM pg_catalog.pg_namespace AS namespace
WHERE namespace.oid = $1
    AND NOT (
        pg_catalog.has_schema_privilege(namespace.oid, 'CREATE') AND pg_catalog.has_schema_privilege(namespace.oid, 'USAGE')
    )
ORDER BY 1, 2
