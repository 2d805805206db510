-- Finds the unique indexes to create on existing tables, whose rows may have duplicate keys.
-- $1 schema, $2 tables to ignore. Rows: table, key, key as text for messages.
SELECT
    needed.table_name,
    pg_catalog.array_to_string(needed.key, ', '),
    pg_catalog.replace(pg_catalog.array_to_string(needed.key, ', '), '::text', '')
FROM (@needed_keys@) AS needed
JOIN pg_catalog.pg_class AS class ON class.relname = needed.table_name AND class.relnamespace = $1
WHERE needed.table_name <> ALL ($2)
    -- A key with a column that bootstrap() adds has no duplicates.
    AND NOT EXISTS (
        SELECT
        FROM (@needed_columns@) AS needed_column
        WHERE needed_column.table_name = needed.table_name
            AND pg_catalog.array_to_string(needed.key, ' ') ~ (E'\\m' || needed_column.column_name || E'\\M')
            AND NOT EXISTS (
                SELECT
                FROM pg_catalog.pg_attribute AS attribute
                WHERE attribute.attrelid = class.oid
                    AND attribute.attname = needed_column.column_name
                    AND NOT attribute.attisdropped
            )
    )
    AND NOT EXISTS (
        SELECT
        FROM (@fitting_indexes@) AS fitting
        WHERE fitting.index_name = needed.index_name AND fitting.serves
    )
