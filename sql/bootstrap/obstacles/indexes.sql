-- Indexes that are invalid or have a needed one's name, and partitioned tables, where only an index over the partition
-- key too can be unique.
-- $1 schema. Rows: table, object, what is wrong with it, what to run.
WITH missing AS (
    SELECT needed.index_name, needed.table_name, class.relkind
    FROM (@needed_keys@) AS needed
    JOIN pg_catalog.pg_class AS class ON class.relname = needed.table_name AND class.relnamespace = $1
    WHERE NOT EXISTS (
        SELECT
        FROM (@fitting_indexes@) AS fitting
        WHERE fitting.index_name = needed.index_name AND fitting.is_valid
    )
),
invalid AS (
    SELECT missing.table_name, missing.index_name, class.relname, namespace.nspname
    FROM missing
    JOIN (@fitting_indexes@) AS fitting ON fitting.index_name = missing.index_name
    JOIN pg_catalog.pg_class AS class ON class.oid = fitting.indexrelid
    JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
)
SELECT
    invalid.table_name,
    pg_catalog.format('index %s', invalid.relname),
    'is invalid: a CREATE INDEX CONCURRENTLY has failed, or is still running',
    pg_catalog.format('DROP INDEX CONCURRENTLY %I.%I;', invalid.nspname, invalid.relname)
FROM invalid
UNION ALL
SELECT
    missing.table_name,
    pg_catalog.format('relation %s', missing.index_name),
    'has the name of the unique index that is to be made, and can''t serve as it',
    pg_catalog.format(
        'ALTER INDEX %I.%I RENAME TO %I;', namespace.nspname, missing.index_name, 'old_' || missing.index_name
    )
FROM missing
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = $1
WHERE EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = $1 AND relname = missing.index_name)
    AND NOT EXISTS (SELECT FROM invalid WHERE invalid.relname = missing.index_name)
UNION ALL
SELECT
    missing.table_name,
    pg_catalog.format('table %s', missing.table_name),
    'is partitioned, so that no unique index can be made over owner, source and external id alone',
    pg_catalog.format('ALTER TABLE %I.%I RENAME TO %I;', namespace.nspname, missing.table_name, 'old_' || missing.table_name)
FROM missing
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = $1
WHERE missing.relkind = 'p'
ORDER BY 1, 2
