-- Whether importing runs nothing of the application's own, and nothing hides rows from the tables' owner: then what a call
-- has found is what the next one would find, until one of the tables changes.
-- Rows: one, yes or no.
--
-- It goes by what may be there, not by what may not. What runs on a row is known by pg_depend, which names everything but
-- what PostgreSQL can't be without. Of that, what comes with PostgreSQL will do, and what an extension brings in C, such as
-- uuid_generate_v4() or the operators of trigrams: they write to no table. A function of the application's may, whatever
-- it says of itself, and may be another one tomorrow.
WITH pipeline_table AS (
    SELECT
        relation.oid,
        relation.relname,
        relation.relowner,
        relation.relkind OPERATOR(pg_catalog.=) 'r'
            AND NOT relation.relforcerowsecurity
            -- The dedup index knows nothing of the rows of tables that inherit.
            AND NOT relation.relhassubclass
            AND NOT relation.relispartition AS is_plain
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
    SELECT pipeline_table.oid
    FROM pipeline_table
    WHERE pipeline_table.relname OPERATOR(pg_catalog.=) ANY ('{recordings,vault_entries}'::pg_catalog.name[])
),
-- Bases and enums check nothing more than their input; domains, and what is made of them, do.
plain_type AS (
    SELECT pg_type.oid
    FROM pg_catalog.pg_type
    LEFT JOIN pg_catalog.pg_type AS element ON element.oid OPERATOR(pg_catalog.=) pg_type.typelem
    WHERE pg_type.typtype OPERATOR(pg_catalog.=) ANY ('{b,e}'::pg_catalog."char"[])
        AND COALESCE(element.typtype, 'b') OPERATOR(pg_catalog.=) ANY ('{b,e}'::pg_catalog."char"[])
),
-- What PostgreSQL evaluates for each row that it writes, or looks up.
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
    JOIN pipeline_table ON pipeline_table.oid OPERATOR(pg_catalog.=) pg_index.indrelid
),
used AS (
    SELECT pg_depend.refclassid, pg_depend.refobjid
    FROM evaluated
    JOIN pg_catalog.pg_depend
        ON pg_depend.classid OPERATOR(pg_catalog.=) evaluated.catalog
        AND pg_depend.objid OPERATOR(pg_catalog.=) evaluated.oid
    -- FirstNormalObjectId, access/transam.h: below are the objects that come with PostgreSQL.
    WHERE pg_depend.refobjid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid
)
SELECT
    (
        SELECT
            pg_catalog.count(*) OPERATOR(pg_catalog.=) 6
            AND pg_catalog.count(DISTINCT relowner) OPERATOR(pg_catalog.=) 1
            AND pg_catalog.bool_and(is_plain)
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
        WHERE pg_attribute.attnum OPERATOR(pg_catalog.>) 0
            AND NOT pg_attribute.attisdropped
            AND NOT pg_attribute.atttypid OPERATOR(pg_catalog.=) ANY (SELECT plain_type.oid FROM plain_type)
    )
    AND NOT EXISTS (
        SELECT
        FROM used
        LEFT JOIN plain_type
            ON used.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass
            AND plain_type.oid OPERATOR(pg_catalog.=) used.refobjid
        LEFT JOIN pg_catalog.pg_proc
            ON used.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
            AND pg_proc.oid OPERATOR(pg_catalog.=) used.refobjid
        LEFT JOIN pg_catalog.pg_language ON pg_language.oid OPERATOR(pg_catalog.=) pg_proc.prolang
        LEFT JOIN pg_catalog.pg_depend AS membership
            ON membership.classid OPERATOR(pg_catalog.=) used.refclassid
            AND membership.objid OPERATOR(pg_catalog.=) used.refobjid
            AND membership.deptype OPERATOR(pg_catalog.=) 'e'
        -- Tables, sequences and keys run nothing.
        WHERE used.refclassid OPERATOR(pg_catalog.<>) 'pg_catalog.pg_class'::pg_catalog.regclass
            AND used.refclassid OPERATOR(pg_catalog.<>) 'pg_catalog.pg_constraint'::pg_catalog.regclass
            AND plain_type.oid IS NULL
            AND (membership.objid IS NULL OR pg_language.lanname OPERATOR(pg_catalog.<>) 'c')
    )
