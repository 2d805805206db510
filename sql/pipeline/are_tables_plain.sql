-- Whether importing runs nothing of the application's own, and nothing hides rows from the tables' owner: then what a call
-- has found is what the next one would find, until one of the tables changes.
-- Rows: one, yes or no.
--
-- Functions in C are PostgreSQL's own and those of extensions, like uuid_generate_v4(): they write to no table. A function
-- of the application's that PostgreSQL takes for immutable may, all the same.
WITH pipeline_table AS (
    SELECT relation.oid, relation.relowner, relation.relkind, relation.relforcerowsecurity
    FROM pg_catalog.pg_class AS relation
    WHERE relation.oid OPERATOR(pg_catalog.=) ANY (
        ARRAY[
            pg_catalog.to_regclass('@extschema@.banks'),
            pg_catalog.to_regclass('@extschema@.bank_memberships'),
            pg_catalog.to_regclass('@extschema@.vaults'),
            pg_catalog.to_regclass('@extschema@.vault_memberships'),
            pg_catalog.to_regclass('@extschema@.recordings'),
            pg_catalog.to_regclass('@extschema@.vault_entries')
        ]::pg_catalog.oid[]
    )
),
written_table AS (
    SELECT relation.oid
    FROM pg_catalog.pg_class AS relation
    WHERE relation.oid OPERATOR(pg_catalog.=) ANY (
        ARRAY[
            pg_catalog.to_regclass('@extschema@.recordings'),
            pg_catalog.to_regclass('@extschema@.vault_entries')
        ]::pg_catalog.oid[]
    )
),
-- What PostgreSQL evaluates for each row.
evaluated AS (
    SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass AS catalog, pg_attrdef.oid
    FROM pg_catalog.pg_attrdef
    JOIN written_table ON written_table.oid OPERATOR(pg_catalog.=) pg_attrdef.adrelid
    UNION ALL
    SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, pg_constraint.oid
    FROM pg_catalog.pg_constraint
    JOIN written_table ON written_table.oid OPERATOR(pg_catalog.=) pg_constraint.conrelid
    UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, pg_index.indexrelid
    FROM pg_catalog.pg_index
    JOIN written_table ON written_table.oid OPERATOR(pg_catalog.=) pg_index.indrelid
)
SELECT
    (
        SELECT
            pg_catalog.count(*) OPERATOR(pg_catalog.=) 6
            AND pg_catalog.count(DISTINCT relowner) OPERATOR(pg_catalog.=) 1
            AND pg_catalog.bool_and(relkind OPERATOR(pg_catalog.=) 'r' AND NOT relforcerowsecurity)
        FROM pipeline_table
    )
    AND NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_trigger
        JOIN written_table ON written_table.oid OPERATOR(pg_catalog.=) pg_trigger.tgrelid
        -- Those of foreign keys are PostgreSQL's.
        WHERE NOT pg_trigger.tgisinternal
    )
    AND NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_rewrite
        JOIN written_table ON written_table.oid OPERATOR(pg_catalog.=) pg_rewrite.ev_class
    )
    AND NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_attribute
        JOIN written_table ON written_table.oid OPERATOR(pg_catalog.=) pg_attribute.attrelid
        JOIN pg_catalog.pg_type ON pg_type.oid OPERATOR(pg_catalog.=) pg_attribute.atttypid
        LEFT JOIN pg_catalog.pg_type AS element ON element.oid OPERATOR(pg_catalog.=) pg_type.typelem
        -- Bases and enums check nothing more than their input; domains, and what is made of them, do.
        WHERE pg_attribute.attnum OPERATOR(pg_catalog.>) 0
            AND NOT (
                pg_type.typtype OPERATOR(pg_catalog.=) ANY ('{b,e}'::pg_catalog."char"[])
                AND COALESCE(element.typtype, 'b') OPERATOR(pg_catalog.=) ANY ('{b,e}'::pg_catalog."char"[])
            )
    )
    AND NOT EXISTS (
        SELECT
        FROM evaluated
        JOIN pg_catalog.pg_depend AS used
            ON used.classid OPERATOR(pg_catalog.=) evaluated.catalog
            AND used.objid OPERATOR(pg_catalog.=) evaluated.oid
        LEFT JOIN pg_catalog.pg_operator
            ON used.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_operator'::pg_catalog.regclass
            AND pg_operator.oid OPERATOR(pg_catalog.=) used.refobjid
        JOIN pg_catalog.pg_proc
            ON pg_proc.oid OPERATOR(pg_catalog.=) CASE
                WHEN used.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass THEN used.refobjid
                ELSE pg_operator.oprcode
            END
        JOIN pg_catalog.pg_language ON pg_language.oid OPERATOR(pg_catalog.=) pg_proc.prolang
        WHERE NOT pg_language.lanname OPERATOR(pg_catalog.=) ANY ('{internal,c}'::pg_catalog.name[])
    )
