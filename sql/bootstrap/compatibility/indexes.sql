-- Finds indexes that prevent a needed unique index or its use, and unsuitable partitioned tables.
-- On a partitioned table, a unique index must include the partition key.
-- $1 schema. Rows: table, object, problem, SQL to run.
WITH missing AS (
    SELECT needed.index_name, needed.table_name, needed.key, class.oid, class.relkind
    FROM (@needed_keys@) AS needed
    JOIN pg_catalog.pg_class AS class ON class.relname = needed.table_name AND class.relnamespace = $1
    WHERE NOT EXISTS (
        SELECT
        FROM (@fitting_indexes@) AS fitting
        WHERE fitting.index_name = needed.index_name AND fitting.serves
    )
),
in_the_way AS (
    SELECT
        fitting.table_name,
        fitting.is_immediate,
        fitting.is_exact,
        fitting.has_own_equality,
        class.relname,
        class.relnamespace,
        pg_catalog.format('%I.%I', namespace.nspname, class.relname) AS qualified,
        pg_catalog.format('%I.%I', namespace.nspname, fitting.table_name) AS qualified_table,
        EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conindid = fitting.indexrelid AND contype = 'u') AS is_constraint
    FROM (@fitting_indexes@) AS fitting
    JOIN pg_catalog.pg_class AS class ON class.oid = fitting.indexrelid
    JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
    WHERE NOT fitting.serves
        -- An invalid index is harmless if another index serves.
        AND (NOT fitting.is_valid AND fitting.index_name IN (SELECT index_name FROM missing)
            OR NOT fitting.is_immediate OR NOT fitting.is_exact OR NOT fitting.has_own_equality)
)
SELECT
    in_the_way.table_name,
    pg_catalog.format('index %s', in_the_way.relname),
    CASE
        WHEN NOT in_the_way.is_immediate THEN 'belongs to a deferrable constraint, which ON CONFLICT does not accept'
        WHEN NOT in_the_way.is_exact THEN 'has a nondeterministic collation, which treats different ids as equal'
        WHEN NOT in_the_way.has_own_equality THEN 'has an operator class that treats different ids as equal'
        ELSE 'is invalid: a CREATE INDEX CONCURRENTLY has failed, or is still running'
    END,
    CASE
        WHEN in_the_way.is_constraint
            THEN pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I;', in_the_way.qualified_table, in_the_way.relname)
        ELSE pg_catalog.format('DROP INDEX CONCURRENTLY %s;', in_the_way.qualified)
    END
FROM in_the_way
UNION ALL
SELECT
    needed.table_name,
    pg_catalog.format('relation %s', needed.index_name),
    'has the name of the unique index to be created, but is not that index',
    pg_catalog.format(
        'ALTER %s %I.%I RENAME TO %I;',
        CASE WHEN taken.relkind IN ('i', 'I') THEN 'INDEX' ELSE 'TABLE' END,
        namespace.nspname, needed.index_name, 'old_' || needed.index_name
    )
FROM (@needed_keys@) AS needed
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = $1
JOIN pg_catalog.pg_class AS taken ON taken.relnamespace = $1 AND taken.relname = needed.index_name
LEFT JOIN pg_catalog.pg_class AS class ON class.relnamespace = $1 AND class.relname = needed.table_name
WHERE NOT EXISTS (SELECT FROM in_the_way WHERE in_the_way.relname = needed.index_name)
    AND (
        EXISTS (SELECT FROM missing WHERE missing.index_name = needed.index_name)
        -- New tables have the others as constraints, which PostgreSQL names.
        OR class.oid IS NULL AND needed.index_name = 'recordings_dedup_key'
    )
UNION ALL
SELECT
    missing.table_name,
    pg_catalog.format('table %s', missing.table_name),
    pg_catalog.format(
        'is partitioned by more than (%s), so that no unique index can be created on these columns alone',
        pg_catalog.replace(pg_catalog.array_to_string(missing.key, ', '), '::text', '')
    ),
    pg_catalog.format('-- Recreate %s without partitions, or partitioned by these columns only.', missing.table_name)
FROM missing
JOIN pg_catalog.pg_partitioned_table AS partitioned ON partitioned.partrelid = missing.oid
WHERE partitioned.partexprs IS NOT NULL
    OR EXISTS (
        SELECT
        FROM pg_catalog.unnest(partitioned.partattrs::pg_catalog.int2[]) AS used (number)
        JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = missing.oid AND attribute.attnum = used.number
        WHERE attribute.attname <> ALL (missing.key)
    )
ORDER BY 1, 2
