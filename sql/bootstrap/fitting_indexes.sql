-- The unique indexes that ON CONFLICT takes for a needed key, whatever their names and the order of their columns.
-- $1 schema. serves: false where the index is in the way instead, as told in the other columns.
SELECT
    candidate.*,
    candidate.is_valid AND candidate.is_immediate AND candidate.is_exact AS serves
FROM (
    SELECT
        needed.index_name,
        needed.table_name,
        index.indexrelid,
        -- False where a CREATE INDEX CONCURRENTLY has failed, or is running.
        index.indisvalid AS is_valid,
        -- False for a deferrable constraint: ON CONFLICT chooses it, and then raises.
        index.indimmediate AS is_immediate,
        -- False where a collation takes two ids for one (upper and lower case, say): of two imports one would be lost.
        NOT EXISTS (
            SELECT
            FROM pg_catalog.unnest(index.indcollation::pg_catalog.oid[]) AS used (oid)
            JOIN pg_catalog.pg_collation AS rules ON rules.oid = used.oid
            WHERE NOT rules.collisdeterministic
        ) AS is_exact
    FROM (@needed_keys@) AS needed
    JOIN pg_catalog.pg_class AS class ON class.relname = needed.table_name AND class.relnamespace = $1
    JOIN pg_catalog.pg_index AS index ON index.indrelid = class.oid
    WHERE index.indisunique
        AND index.indpred IS NULL
        AND index.indnkeyatts = pg_catalog.cardinality(needed.key)
        AND ARRAY(SELECT pg_catalog.unnest(needed.key) ORDER BY 1) = ARRAY(
            -- A domain over jsonb is cast to jsonb in it.
            SELECT pg_catalog.replace(pg_catalog.pg_get_indexdef(index.indexrelid, position, true), '::jsonb', '')
            FROM pg_catalog.generate_series(1, index.indnkeyatts) AS position
            ORDER BY 1
        )
) AS candidate
