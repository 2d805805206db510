-- $1 schema, $2 table, $3 is not looked at: any unique index that ON CONFLICT can infer from the dedup key will do,
-- whatever its name and the order of its columns.
SELECT EXISTS (
    SELECT
    FROM pg_catalog.pg_index AS index
    JOIN pg_catalog.pg_class AS class ON class.oid = index.indrelid
    WHERE class.relnamespace = $1
        AND class.relname = $2
        AND $3 IS NOT NULL
        AND index.indisunique
        AND index.indimmediate
        AND index.indisvalid
        AND index.indpred IS NULL
        AND index.indnkeyatts = 3
        AND ARRAY['(source_metadata ->> ''external_id''::text)', 'owner_user_id', 'source_app'] = ARRAY(
            SELECT pg_catalog.pg_get_indexdef(index.indexrelid, key_column, true)
            FROM pg_catalog.generate_series(1, 3) AS key_column
            ORDER BY 1
        )
)
