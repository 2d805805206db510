-- The unique indexes over a needed key, whatever their names and the order of their columns.
-- $1 schema. is_valid: false where a CREATE INDEX CONCURRENTLY has failed, or is running.
SELECT needed.index_name, index.indexrelid, index.indisvalid AS is_valid
FROM (@needed_keys@) AS needed
JOIN pg_catalog.pg_class AS class ON class.relname = needed.table_name AND class.relnamespace = $1
JOIN pg_catalog.pg_index AS index ON index.indrelid = class.oid
WHERE index.indisunique
    -- Neither a deferrable constraint nor a partial index serves ON CONFLICT.
    AND index.indimmediate
    AND index.indpred IS NULL
    AND index.indnkeyatts = pg_catalog.cardinality(needed.key)
    AND ARRAY(SELECT pg_catalog.unnest(needed.key) ORDER BY 1) = ARRAY(
        SELECT pg_catalog.pg_get_indexdef(index.indexrelid, position, true)
        FROM pg_catalog.generate_series(1, index.indnkeyatts) AS position
        ORDER BY 1
    )
