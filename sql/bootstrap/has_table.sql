-- Checks whether a table exists.
-- $1 schema, $2 table.
SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = $1 AND relname = $2)
