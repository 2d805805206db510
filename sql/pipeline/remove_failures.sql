-- Deletes failures, after a retry has imported their records or kept them under another key.
-- $1 ids. Rows: none.
DELETE FROM @extschema@.import_failures
WHERE import_failures.id OPERATOR(pg_catalog.=) ANY ($1)
