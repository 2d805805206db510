-- Lists what may keep rows of a table from being updated: its triggers and rules.
-- $1 the table, $2 the partition in which a row stays as it is, or the table itself. Rows: one, their names.
SELECT COALESCE(pg_catalog.string_agg(suspect.name, ', ' ORDER BY suspect.name), '')
FROM (
    SELECT 'trigger ' OPERATOR(pg_catalog.||) pg_catalog.quote_ident(tgname)
    FROM pg_catalog.pg_trigger
    WHERE tgrelid OPERATOR(pg_catalog.=) ANY (ARRAY[$1, $2])
        AND NOT tgisinternal
        AND tgenabled OPERATOR(pg_catalog.<>) 'D'
        -- 16: that fires on UPDATE.
        AND tgtype OPERATOR(pg_catalog.&) 16::smallint OPERATOR(pg_catalog.<>) 0
    UNION
    SELECT 'rule ' OPERATOR(pg_catalog.||) pg_catalog.quote_ident(rulename)
    FROM pg_catalog.pg_rewrite
    WHERE ev_class OPERATOR(pg_catalog.=) $1 AND ev_type OPERATOR(pg_catalog.=) '2'
) AS suspect (name)
