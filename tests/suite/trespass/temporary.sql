-- Creates a temporary table, and so a type, for each name of schema hostile.
-- Unless search_path names pg_temp explicitly, PostgreSQL searches temporary tables and types first.
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
