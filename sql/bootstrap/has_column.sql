-- $1 schema, $2 table, $3 column.
SELECT EXISTS (
    SELECT
    FROM pg_catalog.pg_attribute AS attribute
    JOIN pg_catalog.pg_class AS class ON class.oid = attribute.attrelid
    WHERE class.relnamespace = $1 AND class.relname = $2 AND attribute.attname = $3 AND NOT attribute.attisdropped
)
