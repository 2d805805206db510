-- What stands in the place of a table and is none, belongs to somebody else, hides rows from its owner, or has rows that its
-- unique index does not see.
-- $1 schema. Rows: table, object, problem, SQL to run.
WITH found AS (
    SELECT
        class.oid,
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
UNION ALL
SELECT
    found.table_name::pg_catalog.text,
    'table ' || found.table_name,
    pg_catalog.format(
        'has tables that inherit from it (%s), of whose rows its unique index knows nothing',
        pg_catalog.string_agg(heir.qualified, ', ' ORDER BY heir.qualified)
    ),
    pg_catalog.string_agg(
        pg_catalog.format(
            E'-- Move the rows of %1$s that are to stay to %2$s.\nALTER TABLE %1$s NO INHERIT %2$s;',
            heir.qualified, found.qualified
        ),
        E'\n' ORDER BY heir.qualified
    )
FROM found
JOIN pg_catalog.pg_inherits AS inheritance ON inheritance.inhparent = found.oid
CROSS JOIN LATERAL (
    SELECT pg_catalog.format('%I.%I', namespace.nspname, class.relname) AS qualified
    FROM pg_catalog.pg_class AS class
    JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
    WHERE class.oid = inheritance.inhrelid
) AS heir
WHERE found.relkind = 'r'
    AND found.table_name IN (SELECT needed.table_name FROM (@needed_keys@) AS needed)
GROUP BY found.table_name, found.qualified
UNION ALL
SELECT
    found.table_name::pg_catalog.text,
    'table ' || found.table_name,
    pg_catalog.format('has the foreign table %s among its partitions, so that no unique index can be made on it', part.qualified),
    pg_catalog.format('ALTER TABLE %s DETACH PARTITION %s;', part.parent, part.qualified)
FROM found
CROSS JOIN LATERAL (
    SELECT
        pg_catalog.format('%I.%I', namespace.nspname, class.relname) AS qualified,
        pg_catalog.format('%I.%I', parent_namespace.nspname, parent.relname) AS parent
    FROM pg_catalog.pg_partition_tree(found.oid) AS tree
    JOIN pg_catalog.pg_class AS class ON class.oid = tree.relid
    JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
    JOIN pg_catalog.pg_class AS parent ON parent.oid = tree.parentrelid
    JOIN pg_catalog.pg_namespace AS parent_namespace ON parent_namespace.oid = parent.relnamespace
    WHERE class.relkind = 'f'
) AS part
WHERE found.relkind = 'p'
    AND found.table_name IN (SELECT needed.table_name FROM (@needed_keys@) AS needed)
ORDER BY 1, 2
