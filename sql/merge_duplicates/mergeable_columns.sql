-- Finds which of the columns local_tags and notes the vault entries have, with a type that can be merged.
-- $1 the extension's schema. Rows: the columns.
SELECT attribute.attname::pg_catalog.text
FROM pg_catalog.pg_attribute AS attribute
JOIN pg_catalog.pg_class AS class ON class.oid OPERATOR(pg_catalog.=) attribute.attrelid
WHERE class.relnamespace OPERATOR(pg_catalog.=) $1
    AND class.relname OPERATOR(pg_catalog.=) 'vault_entries'
    AND NOT attribute.attisdropped
    AND (
        (
            attribute.attname OPERATOR(pg_catalog.=) 'local_tags'
            AND attribute.atttypid OPERATOR(pg_catalog.=) ANY (
                ARRAY['pg_catalog.text[]', 'pg_catalog.varchar[]']::pg_catalog.regtype[]
            )
        )
        OR (
            attribute.attname OPERATOR(pg_catalog.=) 'notes'
            AND attribute.atttypid OPERATOR(pg_catalog.=) ANY (
                ARRAY['pg_catalog.text', 'pg_catalog.varchar']::pg_catalog.regtype[]
            )
        )
    )
