-- Finds the unique indexes, of any name and column order, that ON CONFLICT infers.
-- $1 schema. serves: false for an index that makes ON CONFLICT fail or lose records, for the reasons in the other
-- columns.
SELECT
    candidate.*,
    candidate.is_valid
        AND candidate.is_immediate
        AND candidate.is_exact
        AND candidate.has_own_equality
        AND candidate.is_looked_up AS serves
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
        ) AS is_exact,
        -- False where an operator class does, by an equality of its own.
        NOT EXISTS (
            SELECT
            FROM pg_catalog.unnest(index.indclass::pg_catalog.oid[]) AS used (oid)
            JOIN pg_catalog.pg_opclass AS class ON class.oid = used.oid
            WHERE NOT EXISTS (
                SELECT
                FROM pg_catalog.pg_amop
                WHERE pg_amop.amopfamily = class.opcfamily
                    -- BTEqualStrategyNumber, access/stratnum.h.
                    AND pg_amop.amopstrategy = 3
                    AND pg_amop.amopopr IN (
                        'pg_catalog.=(text, text)'::pg_catalog.regoperator,
                        'pg_catalog.=(uuid, uuid)'::pg_catalog.regoperator
                    )
            )
        ) AS has_own_equality,
        -- False where ON CONFLICT takes it and no look-up does, which asks with the collations of the columns.
        NOT EXISTS (
            SELECT
            FROM ROWS FROM (
                pg_catalog.unnest(index.indcollation::pg_catalog.oid[]), pg_catalog.unnest(index.indkey::pg_catalog.int2[])
            ) AS used (rules, number)
            LEFT JOIN pg_catalog.pg_attribute AS attribute
                ON attribute.attrelid = class.oid AND attribute.attnum = used.number AND used.number > 0
            WHERE used.rules <> COALESCE(attribute.attcollation, 'pg_catalog."default"'::pg_catalog.regcollation)
        ) AS is_looked_up
    FROM (@needed_keys@) AS needed
    JOIN pg_catalog.pg_class AS class ON class.relname = needed.table_name AND class.relnamespace = $1
    JOIN pg_catalog.pg_index AS index ON index.indrelid = class.oid
    WHERE index.indisunique
        AND index.indpred IS NULL
        AND index.indnkeyatts = pg_catalog.cardinality(needed.key)
        AND ARRAY(SELECT pg_catalog.unnest(needed.key) ORDER BY 1) = ARRAY(
            SELECT COALESCE(
                attribute.attname::pg_catalog.text,
                -- It has quotes if quote_all_identifiers is on, and a cast to jsonb for a domain over that.
                pg_catalog.replace(
                    pg_catalog.regexp_replace(
                        pg_catalog.pg_get_indexdef(index.indexrelid, position, true), '"(source_metadata|text|jsonb)"', E'\\1', 'g'
                    ),
                    '::jsonb', ''
                )
            )
            FROM pg_catalog.generate_series(1, index.indnkeyatts) AS position
            LEFT JOIN pg_catalog.pg_attribute AS attribute
                ON attribute.attrelid = class.oid
                AND attribute.attnum = index.indkey[position - 1]
                AND attribute.attnum > 0
            ORDER BY 1
        )
) AS candidate
