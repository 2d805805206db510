-- Finds ids that are missing, or are not uuid.
-- Before bootstrap(), which asks for them, an application's tables may have others.
-- $1 the extension's schema, $2 the tables whose ids are needed. Rows: what is wrong, as text.
SELECT pg_catalog.format(
    '%s.%s is %s', needed.table_name, needed.column_name,
    COALESCE(pg_catalog.format_type(attribute.atttypid, attribute.atttypmod), 'not there')
)
FROM (
    VALUES
        ('recordings', 'id'), ('recordings', 'bank_id'), ('recordings', 'owner_user_id'),
        ('vault_entries', 'id'), ('vault_entries', 'vault_id'), ('vault_entries', 'recording_id'),
        ('vaults', 'id'), ('vaults', 'bank_id')
) AS needed (table_name, column_name)
LEFT JOIN pg_catalog.pg_class AS class
    ON class.relnamespace OPERATOR(pg_catalog.=) $1
    AND class.relname OPERATOR(pg_catalog.=) needed.table_name
LEFT JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid OPERATOR(pg_catalog.=) class.oid
    AND attribute.attname OPERATOR(pg_catalog.=) needed.column_name
    AND NOT attribute.attisdropped
WHERE needed.table_name OPERATOR(pg_catalog.=) ANY ($2)
    AND (attribute.atttypid OPERATOR(pg_catalog.=) 'pg_catalog.uuid'::pg_catalog.regtype) IS NOT TRUE
ORDER BY needed.table_name, needed.column_name
