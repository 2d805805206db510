-- Removes failures that have been imported after all.
-- $1 ids. Rows: none.
DELETE FROM @extschema@.import_failures
WHERE import_failures.id OPERATOR(pg_catalog.=) ANY ($1)
