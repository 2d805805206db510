-- Finds the columns that an adopted table lacks.
-- $1 schema, $2 table. Rows: column, its definition.
SELECT needed.column_name, needed.definition
FROM (@needed_columns@) AS needed
JOIN pg_catalog.pg_class AS class ON class.relname = needed.table_name AND class.relnamespace = $1
WHERE needed.table_name = $2
    AND NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_attribute AS attribute
        WHERE attribute.attrelid = class.oid
            AND attribute.attname = needed.column_name
            AND NOT attribute.attisdropped
    )
