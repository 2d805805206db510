-- Temporary objects, which come before all others where a search_path doesn't say otherwise: a table, and so a type, of
-- each name that ours and PostgreSQL's have.
DO $$
DECLARE
    twin pg_catalog.name;
BEGIN
    FOR twin IN
        SELECT relname
        FROM pg_catalog.pg_class
        WHERE relnamespace = 'hostile'::pg_catalog.regnamespace AND relkind = 'r'
            AND relname NOT IN ('name', 'bool', 'text', 'oid')
    LOOP
        EXECUTE pg_catalog.format('CREATE TEMPORARY TABLE %I (hijacked pg_catalog.int4)', twin);
    END LOOP;
END
$$;
