-- Finds relations that are not tables, belong to another role, hide rows from their owner, have rows that their unique index
-- does not cover, or that new tables and columns can't be created with.
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
),
to_make AS (
    SELECT DISTINCT needed.table_name
    FROM (@needed_columns@) AS needed
    WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_class WHERE relnamespace = $1 AND relname = needed.table_name
    )
),
-- Tables that are there, with those to be made that will have foreign keys to them.
referred AS (
    SELECT
        class.oid,
        class.relname AS table_name,
        pg_catalog.format('%I.%I', namespace.nspname, class.relname) AS qualified,
        class.relpersistence,
        pg_catalog.string_agg(reference.referring, ', ' ORDER BY reference.referring) AS referring,
        EXISTS (SELECT FROM pg_catalog.pg_index WHERE indrelid = class.oid AND indisprimary) AS has_primary_key,
        EXISTS (
            SELECT
            FROM pg_catalog.pg_index AS index
            JOIN pg_catalog.pg_attribute AS attribute
                ON attribute.attrelid = index.indrelid AND attribute.attnum = index.indkey[0]
            WHERE index.indrelid = class.oid
                AND index.indisunique
                AND index.indisvalid
                AND index.indimmediate
                AND index.indpred IS NULL
                AND index.indnkeyatts = 1
                AND attribute.attname = 'id'
        ) AS has_key,
        -- A unique key has to have all columns that a table is partitioned by.
        class.relkind = 'p'
            AND NOT EXISTS (
                SELECT
                FROM pg_catalog.pg_partitioned_table AS partitioned
                JOIN pg_catalog.pg_attribute AS attribute
                    ON attribute.attrelid = class.oid AND attribute.attnum = partitioned.partattrs[0]
                WHERE partitioned.partrelid = class.oid AND partitioned.partnatts = 1 AND attribute.attname = 'id'
            ) AS can_have_no_key
    FROM (
        VALUES
            ('banks', 'bank_memberships'), ('banks', 'vaults'), ('banks', 'recordings'),
            ('vaults', 'vault_memberships'), ('vaults', 'vault_entries'), ('recordings', 'vault_entries')
    ) AS reference (referred, referring)
    JOIN to_make ON to_make.table_name = reference.referring
    JOIN pg_catalog.pg_class AS class
        ON class.relnamespace = $1 AND class.relname = reference.referred AND class.relkind IN ('r', 'p')
    JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
    GROUP BY class.oid, class.relname, namespace.nspname, class.relpersistence, class.relkind
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
UNION ALL
SELECT
    to_make.table_name,
    'type ' || to_make.table_name,
    'has the name of a table that is to be made',
    pg_catalog.format(
        'ALTER %s %I.%I RENAME TO %I;',
        CASE type.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END,
        namespace.nspname, type.typname, 'old_' || type.typname
    )
FROM to_make
JOIN pg_catalog.pg_type AS type ON type.typnamespace = $1 AND type.typname = to_make.table_name
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = type.typnamespace
UNION ALL
SELECT
    referred.table_name::pg_catalog.text,
    'table ' || referred.table_name,
    'has no unique key on id alone, to which foreign keys of new tables are to refer: ' || referred.referring,
    CASE
        WHEN referred.can_have_no_key
            THEN pg_catalog.format('-- Let %s be a table without partitions, or partitioned by id.', referred.table_name)
        WHEN referred.has_primary_key THEN pg_catalog.format('ALTER TABLE %s ADD UNIQUE (id);', referred.qualified)
        ELSE pg_catalog.format('ALTER TABLE %s ADD PRIMARY KEY (id);', referred.qualified)
    END
FROM referred
WHERE NOT referred.has_key
    -- vault_entries is made without its foreign key then.
    AND NOT (referred.table_name = 'recordings' AND referred.can_have_no_key)
UNION ALL
SELECT
    referred.table_name::pg_catalog.text,
    'table ' || referred.table_name,
    'is UNLOGGED, and no foreign key of a new table may refer to it: ' || referred.referring,
    pg_catalog.format('ALTER TABLE %s SET LOGGED;', referred.qualified)
FROM referred
WHERE referred.relpersistence = 'u'
UNION ALL
SELECT
    class.relname::pg_catalog.text,
    'table ' || class.relname,
    CASE
        WHEN class.relispartition THEN 'is a partition, and columns that are missing can be added to the whole only: '
        ELSE 'is a table of type ' || class.reloftype::pg_catalog.regtype || ', and can''t get columns that are missing: '
    END || pg_catalog.string_agg(needed.column_name, ', ' ORDER BY needed.column_name),
    CASE
        WHEN class.relispartition
            THEN pg_catalog.string_agg(
                pg_catalog.format(
                    'ALTER TABLE %s ADD COLUMN %s %s;',
                    pg_catalog.pg_partition_root(class.oid), needed.column_name, needed.definition
                ),
                E'\n' ORDER BY needed.column_name
            )
        ELSE pg_catalog.format('ALTER TABLE %I.%I NOT OF;', namespace.nspname, class.relname)
    END
FROM (@needed_columns@) AS needed
JOIN pg_catalog.pg_class AS class
    ON class.relnamespace = $1 AND class.relname = needed.table_name AND class.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE (class.relispartition OR class.reloftype <> 0)
    AND needed.is_added
    AND NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_attribute AS attribute
        WHERE attribute.attrelid = class.oid
            AND attribute.attname = needed.column_name
            AND NOT attribute.attisdropped
    )
GROUP BY class.oid, class.relname, class.relispartition, class.reloftype, namespace.nspname
ORDER BY 1, 2
