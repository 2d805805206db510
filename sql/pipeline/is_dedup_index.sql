-- Returns whether an index is a unique one on the dedup key: owner, source and an expression.
-- $1 the index's schema, $2 its name: arrays of one. Rows: one, if it is.
SELECT true
FROM pg_catalog.pg_index AS index
JOIN pg_catalog.pg_class AS class ON class.oid OPERATOR(pg_catalog.=) index.indexrelid
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid OPERATOR(pg_catalog.=) class.relnamespace
WHERE namespace.nspname::pg_catalog.text OPERATOR(pg_catalog.=) ANY ($1)
    AND class.relname::pg_catalog.text OPERATOR(pg_catalog.=) ANY ($2)
    -- A partition has the index of its partitioned table, attached to that.
    AND (
        index.indrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass('@extschema@.recordings')::pg_catalog.oid
        OR pg_catalog.pg_partition_root(index.indrelid::pg_catalog.regclass)::pg_catalog.oid
            OPERATOR(pg_catalog.=) pg_catalog.to_regclass('@extschema@.recordings')::pg_catalog.oid
    )
    AND index.indisunique
    AND index.indnkeyatts OPERATOR(pg_catalog.=) 3
    AND ARRAY['owner_user_id', 'source_app'] OPERATOR(pg_catalog.<@) ARRAY(
        SELECT attribute.attname::pg_catalog.text
        FROM pg_catalog.pg_attribute AS attribute
        WHERE attribute.attrelid OPERATOR(pg_catalog.=) index.indrelid
            AND attribute.attnum OPERATOR(pg_catalog.=) ANY (index.indkey::pg_catalog.int2[])
    )
    AND 0::pg_catalog.int2 OPERATOR(pg_catalog.=) ANY (index.indkey::pg_catalog.int2[])
