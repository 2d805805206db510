-- What stands in the place of a table and is none, belongs to somebody else, or hides rows from its owner.
-- $1 schema. Rows: table, object, problem, SQL to run.
WITH found AS (
    SELECT
        class.relname AS table_name,
        pg_catalog.format('%I.%I', namespace.nspname, class.relname) AS qualified,
        class.relkind,
        class.relowner,
        class.relforcerowsecurity,
        CASE class.relkind
            WHEN 'v' THEN 'VIEW'
            WHEN 'm' THEN 'MATERIALIZED VIEW'
            WHEN 'f' THEN 'FOREIGN TABLE'
            WHEN 'S' THEN 'SEQUENCE'
            WHEN 'c' THEN 'TYPE'
            WHEN 'i' THEN 'INDEX'
            WHEN 'I' THEN 'INDEX'
        END AS other_kind
    FROM pg_catalog.pg_class AS class
    JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
    WHERE class.relnamespace = $1
        AND class.relname IN (SELECT needed.table_name FROM (@needed_columns@) AS needed)
),
-- The owner of all tables, if that role may run bootstrap() and the caller may become it.
only_owner AS (
    SELECT pg_catalog.min(found.relowner::pg_catalog.text)::pg_catalog.oid AS role
    FROM found
    WHERE found.other_kind IS NULL
    HAVING pg_catalog.count(DISTINCT found.relowner) = 1
        AND pg_catalog.pg_has_role(pg_catalog.min(found.relowner::pg_catalog.text)::pg_catalog.oid, 'MEMBER')
        AND pg_catalog.has_function_privilege(
            pg_catalog.min(found.relowner::pg_catalog.text)::pg_catalog.oid, 'connector_pipeline.bootstrap()', 'EXECUTE'
        )
)
SELECT
    found.table_name::pg_catalog.text,
    'relation ' || found.table_name,
    'is a ' || pg_catalog.lower(found.other_kind) || ', not a table',
    pg_catalog.format('ALTER %s %s RENAME TO %I;', found.other_kind, found.qualified, 'old_' || found.table_name)
FROM found
WHERE found.other_kind IS NOT NULL
UNION ALL
SELECT
    found.table_name::pg_catalog.text,
    'table ' || found.table_name,
    pg_catalog.format(
        'belongs to %s, but must belong to %s, who runs bootstrap(), like all tables of connector_pipeline',
        pg_catalog.pg_get_userbyid(found.relowner), current_user
    ),
    COALESCE(
        (SELECT pg_catalog.format('SET ROLE %I;', pg_catalog.pg_get_userbyid(only_owner.role)) FROM only_owner),
        pg_catalog.format('ALTER TABLE %s OWNER TO %I;', found.qualified, current_user)
    )
FROM found
WHERE found.other_kind IS NULL AND pg_catalog.pg_get_userbyid(found.relowner) <> current_user
UNION ALL
SELECT
    found.table_name::pg_catalog.text,
    'table ' || found.table_name,
    'has FORCE ROW LEVEL SECURITY, which hides rows from its owner',
    pg_catalog.format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY;', found.qualified)
FROM found
JOIN pg_catalog.pg_roles AS owner ON owner.oid = found.relowner
WHERE found.relforcerowsecurity AND NOT owner.rolsuper AND NOT owner.rolbypassrls
ORDER BY 1, 2
