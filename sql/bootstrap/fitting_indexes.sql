-- Finds the unique indexes, of any name and column order, that ON CONFLICT infers.
-- $1 schema. serves: false for an index that makes ON CONFLICT fail or lose records, for the reasons in the other
-- columns.
SELECT
    candidate.*,
    candidate.is_valid AND candidate.is_immediate AND candidate.is_exact AS serves
FROM (
    SELECT
        needed.index_name,
        needed.table_name,
        index.indexrelid,
        -- False if CREATE INDEX CONCURRENTLY has failed, or is running.
        index.indisvalid AS is_valid,
        -- False for a deferrable constraint, which ON CONFLICT infers and then refuses.
        index.indimmediate AS is_immediate,
        -- False for a nondeterministic collation: it treats different ids as equal, and an import would be lost.
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
            -- The definition of an index on a domain over jsonb has a cast to jsonb.
            SELECT pg_catalog.replace(pg_catalog.pg_get_indexdef(index.indexrelid, position, true), '::jsonb', '')
            FROM pg_catalog.generate_series(1, index.indnkeyatts) AS position
            ORDER BY 1
        )
) AS candidate
