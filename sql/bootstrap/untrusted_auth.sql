-- Finds objects of Supabase's schema auth that belong to somebody who is not trusted with this database.
-- Whoever owns auth.uid() or auth.users decides who one is, and so what everybody may read. Trusted are superusers, roles
-- with the rights of the database's owner, and Supabase's administrators. Rows: object, owner.
SELECT found.object, owner.rolname::pg_catalog.text
FROM (
    SELECT 'schema auth', namespace.nspowner
    FROM pg_catalog.pg_namespace AS namespace
    WHERE namespace.nspname = 'auth'
    UNION ALL
    SELECT 'table auth.users', class.relowner
    FROM pg_catalog.pg_class AS class
    WHERE class.oid = pg_catalog.to_regclass('auth.users')
    UNION ALL
    SELECT 'function auth.uid()', proc.proowner
    FROM pg_catalog.pg_proc AS proc
    WHERE proc.oid = pg_catalog.to_regprocedure('auth.uid()')
) AS found (object, owner)
JOIN pg_catalog.pg_roles AS owner ON owner.oid = found.owner
JOIN pg_catalog.pg_database AS database ON database.datname = pg_catalog.current_database()
WHERE NOT owner.rolsuper
    AND NOT pg_catalog.pg_has_role(owner.oid, database.datdba, 'MEMBER')
    AND owner.rolname <> ALL (ARRAY['supabase_admin', 'supabase_auth_admin'])
