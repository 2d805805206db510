-- Finds the foreign keys by which rows refer to a table.
-- That of vault_entries comes last: a trigger of the application's may delete a recording that is in no vault.
-- $1 the extension's schema, $2 the table's name.
-- Rows: the table that refers, its qualified name, whether it is the table itself, whether it is vault_entries; the columns
-- of the foreign key; SQL that lets a row `referrer` refer to a row `kept`; SQL that says whether it refers to a row `removed`.
SELECT
    referrer.oid,
    pg_catalog.format('%I.%I', namespace.nspname, referrer.relname),
    foreign_key.conrelid OPERATOR(pg_catalog.=) foreign_key.confrelid,
    referrer.relnamespace OPERATOR(pg_catalog.=) $1 AND referrer.relname OPERATOR(pg_catalog.=) 'vault_entries',
    pg_catalog.string_agg(pg_catalog.quote_ident(referring.attname), ', '),
    -- All columns of the row referred to, of which the id need be none.
    pg_catalog.string_agg(pg_catalog.format('%I = kept.%I', referring.attname, referred.attname), ', '),
    pg_catalog.string_agg(
        pg_catalog.format('referrer.%I OPERATOR(pg_catalog.=) removed.%I', referring.attname, referred.attname), ' AND '
    )
FROM pg_catalog.pg_constraint AS foreign_key
JOIN pg_catalog.pg_class AS referenced ON referenced.oid OPERATOR(pg_catalog.=) foreign_key.confrelid
JOIN pg_catalog.pg_class AS referrer ON referrer.oid OPERATOR(pg_catalog.=) foreign_key.conrelid
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid OPERATOR(pg_catalog.=) referrer.relnamespace
CROSS JOIN LATERAL ROWS FROM (
    pg_catalog.unnest(foreign_key.conkey), pg_catalog.unnest(foreign_key.confkey)
) AS pair (referring, referred)
JOIN pg_catalog.pg_attribute AS referring
    ON referring.attrelid OPERATOR(pg_catalog.=) foreign_key.conrelid
    AND referring.attnum OPERATOR(pg_catalog.=) pair.referring
JOIN pg_catalog.pg_attribute AS referred
    ON referred.attrelid OPERATOR(pg_catalog.=) foreign_key.confrelid
    AND referred.attnum OPERATOR(pg_catalog.=) pair.referred
WHERE foreign_key.contype OPERATOR(pg_catalog.=) 'f'
    AND referenced.relnamespace OPERATOR(pg_catalog.=) $1
    AND referenced.relname OPERATOR(pg_catalog.=) $2
    -- Not again for each partition.
    AND foreign_key.conparentid OPERATOR(pg_catalog.=) 0::pg_catalog.oid
GROUP BY foreign_key.oid, foreign_key.conrelid, foreign_key.confrelid, referrer.oid, referrer.relname, referrer.relnamespace,
    namespace.nspname
ORDER BY
    referrer.relnamespace OPERATOR(pg_catalog.=) $1 AND referrer.relname OPERATOR(pg_catalog.=) 'vault_entries',
    foreign_key.oid
