-- Finds columns that are not compatible, or that no import can fill.
-- A column is not compatible if its type or collation differs, if it is generated, or if it is missing and only the
-- application knows its values.
-- $1 schema. Rows: table, object, problem, SQL to run.
WITH RECURSIVE relation AS (
    SELECT
        class.oid,
        class.relname,
        pg_catalog.format('%I.%I', namespace.nspname, class.relname) AS qualified,
        -- A trigger may fill any column.
        EXISTS (
            SELECT
            FROM pg_catalog.pg_trigger AS trigger
            WHERE trigger.tgrelid = class.oid
                AND NOT trigger.tgisinternal
                -- ROW, BEFORE and INSERT, as in pg_trigger.h.
                AND trigger.tgtype & 7 = 7
        ) AS has_insert_trigger
    FROM pg_catalog.pg_class AS class
    JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
    WHERE class.relnamespace = $1 AND class.relkind IN ('r', 'p')
),
-- Each domain with those that it is made of, and what is under the last of them. Its default is that of the first.
domain_step AS (
    SELECT type.oid AS domain, type.typbasetype AS base, type.typtypmod AS modifier, type.typnotnull AS is_not_null
    FROM pg_catalog.pg_type AS type
    WHERE type.typtype = 'd'
    UNION ALL
    SELECT domain_step.domain, type.typbasetype, type.typtypmod, type.typnotnull
    FROM domain_step
    JOIN pg_catalog.pg_type AS type ON type.oid = domain_step.base
    WHERE type.typtype = 'd'
),
domain_type AS (
    SELECT
        domain_step.domain,
        pg_catalog.max(domain_step.base::pg_catalog.int8) FILTER (WHERE base.typtype <> 'd')::pg_catalog.oid AS base,
        pg_catalog.max(domain_step.modifier) FILTER (WHERE base.typtype <> 'd') AS modifier,
        pg_catalog.bool_or(domain_step.is_not_null) AS is_not_null
    FROM domain_step
    JOIN pg_catalog.pg_type AS base ON base.oid = domain_step.base
    GROUP BY domain_step.domain
),
present AS (
    SELECT
        attribute.attrelid,
        attribute.attname,
        attribute.attnotnull,
        COALESCE(domain_type.is_not_null, false) AS is_domain_not_null,
        attribute_default.oid IS NOT NULL OR type.typdefault IS NOT NULL AS has_default,
        pg_catalog.format_type(domain_type.base, domain_type.modifier) AS base_name,
        attribute.attgenerated,
        attribute.attidentity,
        attribute.attcollation,
        pg_catalog.format_type(attribute.atttypid, attribute.atttypmod) AS type_name,
        -- The type that the statements see. A domain over uuid does not serve as uuid.
        CASE
            WHEN type.typtype = 'd' AND domain_type.base <> 'uuid'::pg_catalog.regtype THEN domain_type.base
            WHEN type.typtype = 'e' THEN 'anyenum'::pg_catalog.regtype
            ELSE type.oid
        END AS type,
        pg_catalog.pg_get_expr(attribute_default.adbin, attribute_default.adrelid) AS default_value
    FROM pg_catalog.pg_attribute AS attribute
    JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
    LEFT JOIN domain_type ON domain_type.domain = type.oid
    LEFT JOIN pg_catalog.pg_attrdef AS attribute_default
        ON attribute_default.adrelid = attribute.attrelid AND attribute_default.adnum = attribute.attnum
    WHERE attribute.attnum > 0 AND NOT attribute.attisdropped
),
wrong AS (
    SELECT
        needed.table_name,
        pg_catalog.quote_ident(needed.column_name) AS column_name,
        needed.serving[1] AS wanted,
        relation.qualified,
        present.type_name,
        present.default_value,
        -- Converts a value to the needed type.
        CASE
            WHEN needed.serving[1] = 'timestamptz'::pg_catalog.regtype
                AND present.type = 'timestamp'::pg_catalog.regtype
                THEN '%1$s AT TIME ZONE ''UTC'''
            WHEN needed.serving[1] = 'text[]'::pg_catalog.regtype
                AND present.type IN ('jsonb'::pg_catalog.regtype, 'json'::pg_catalog.regtype)
                THEN 'translate((%1$s)::text, ''[]'', ''{}'')::text[]'
            -- A number can't become a uuid: such a column is renamed, and another is added.
            WHEN needed.serving[1] = 'uuid'::pg_catalog.regtype
                AND present.type IN ('integer'::pg_catalog.regtype, 'bigint'::pg_catalog.regtype)
                THEN NULL
            ELSE '(%1$s)::text::%2$s'
        END AS conversion
    FROM (@needed_columns@) AS needed
    JOIN relation ON relation.relname = needed.table_name
    JOIN present ON present.attrelid = relation.oid AND present.attname = needed.column_name
    WHERE present.type <> ALL (needed.serving)
)
SELECT
    wrong.table_name,
    pg_catalog.format('column %s.%s', wrong.table_name, wrong.column_name),
    pg_catalog.format('is of type %s, but must be of type %s', wrong.type_name, wrong.wanted),
    CASE
        WHEN wrong.conversion IS NULL
            THEN pg_catalog.format('ALTER TABLE %s RENAME COLUMN %s TO old_%2$s;', wrong.qualified, wrong.column_name)
        WHEN wrong.default_value IS NULL
            THEN pg_catalog.format(
                'ALTER TABLE %s ALTER COLUMN %s TYPE %s USING %s;',
                wrong.qualified, wrong.column_name, wrong.wanted,
                pg_catalog.format(wrong.conversion, wrong.column_name, wrong.wanted)
            )
        ELSE pg_catalog.format(
            'ALTER TABLE %1$s ALTER COLUMN %2$s DROP DEFAULT, '
                'ALTER COLUMN %2$s TYPE %3$s USING %4$s, ALTER COLUMN %2$s SET DEFAULT %5$s;',
            wrong.qualified, wrong.column_name, wrong.wanted,
            pg_catalog.format(wrong.conversion, wrong.column_name, wrong.wanted),
            pg_catalog.format(wrong.conversion, wrong.default_value, wrong.wanted)
        )
    END
FROM wrong
UNION ALL
SELECT
    needed.table_name,
    pg_catalog.format('column %s.%s', needed.table_name, needed.column_name),
    'is generated, but the pipeline writes this column',
    pg_catalog.format(
        CASE
            WHEN present.attidentity <> '' THEN E'ALTER TABLE %s ALTER COLUMN %I DROP IDENTITY;\n'
                'ALTER TABLE %1$s ALTER COLUMN %2$I DROP NOT NULL;'
            -- DROP EXPRESSION does not work on a virtual column, which has no stored values.
            WHEN present.attgenerated = 'v' THEN 'ALTER TABLE %s RENAME COLUMN %I TO %3$I;'
            ELSE 'ALTER TABLE %s ALTER COLUMN %I DROP EXPRESSION;'
        END,
        relation.qualified, present.attname, 'old_' || present.attname
    )
FROM (@needed_columns@) AS needed
JOIN relation ON relation.relname = needed.table_name
JOIN present ON present.attrelid = relation.oid AND present.attname = needed.column_name
WHERE (needed.is_filled OR needed.column_name NOT IN ('id', 'created_at', 'record_key'))
    AND (present.attgenerated <> '' OR present.attidentity = 'a')
    -- A column that is renamed because of its type is reported above.
    AND NOT (
        needed.serving[1] = 'uuid'::pg_catalog.regtype
        AND present.type IN ('integer'::pg_catalog.regtype, 'bigint'::pg_catalog.regtype)
    )
UNION ALL
SELECT
    needed.table_name,
    'column import_failures.record_key',
    'is not generated, but the pipeline does not write this column',
    pg_catalog.format('ALTER TABLE %s DROP COLUMN record_key; -- bootstrap() creates it again', relation.qualified)
FROM (@needed_columns@) AS needed
JOIN relation ON relation.relname = needed.table_name
JOIN present ON present.attrelid = relation.oid AND present.attname = needed.column_name
WHERE needed.column_name = 'record_key' AND present.attgenerated = ''
UNION ALL
SELECT
    needed.table_name,
    pg_catalog.format('column %s.%s', needed.table_name, needed.column_name),
    'has a nondeterministic collation, which treats different values as equal',
    pg_catalog.format(
        'ALTER TABLE %s ALTER COLUMN %I TYPE %s COLLATE pg_catalog."default";',
        relation.qualified, present.attname, present.type_name
    )
FROM (@needed_columns@) AS needed
JOIN relation ON relation.relname = needed.table_name
JOIN present ON present.attrelid = relation.oid AND present.attname = needed.column_name
JOIN pg_catalog.pg_collation AS rules ON rules.oid = present.attcollation
WHERE needed.column_name = 'source_app' AND NOT rules.collisdeterministic
UNION ALL
SELECT
    needed.table_name,
    pg_catalog.format('column %s.%s', needed.table_name, needed.column_name),
    'is missing, and only the application knows its values for existing rows',
    pg_catalog.format(
        'ALTER TABLE %s ADD COLUMN %I %s; -- then fill it', relation.qualified, needed.column_name, needed.definition
    )
FROM (@needed_columns@) AS needed
JOIN relation ON relation.relname = needed.table_name
WHERE NOT needed.is_added
    AND NOT EXISTS (
        SELECT FROM present WHERE present.attrelid = relation.oid AND present.attname = needed.column_name
    )
UNION ALL
SELECT
    relation.relname::pg_catalog.text,
    pg_catalog.format('column %s.%s', relation.relname, present.attname),
    CASE
        WHEN present.has_default THEN 'is NOT NULL, and a failure may have no value for this column'
        ELSE 'is NOT NULL without a default, and the pipeline does not always fill this column'
    END,
    CASE
        WHEN present.attname = 'id'
            THEN pg_catalog.format('ALTER TABLE %s ALTER COLUMN id SET DEFAULT gen_random_uuid();', relation.qualified)
        WHEN present.is_domain_not_null
            THEN pg_catalog.format(
                'ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL, ALTER COLUMN %2$I TYPE %3$s;',
                relation.qualified, present.attname, present.base_name
            )
        ELSE pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL;', relation.qualified, present.attname)
    END
FROM relation
JOIN present ON present.attrelid = relation.oid
-- Only tables that every import writes: an application may create all banks and vaults itself.
WHERE relation.relname IN ('recordings', 'vault_entries', 'import_sources', 'sync_jobs', 'import_failures')
    AND NOT relation.has_insert_trigger
    AND (present.attnotnull OR present.is_domain_not_null)
    AND (
        NOT present.has_default
        -- Of these a failure has what its record has: a default would make one key of many.
        OR relation.relname = 'import_failures'
            AND present.attname IN ('user_id', 'owner_user_id', 'source_app', 'external_id')
    )
    AND present.attidentity = ''
    AND NOT EXISTS (
        SELECT
        FROM (@needed_columns@) AS needed
        WHERE needed.table_name = relation.relname
            AND needed.column_name = present.attname
            AND needed.is_filled
    )
ORDER BY 1, 2
