-- Checks whether service_role has TRIGGER on a table that bootstrap() created.
-- $1 schema, $2 table, $3 the SQL that creates it: the comment in that SQL identifies tables that bootstrap() created.
-- Privileges on an application's own table are left to the application.
SELECT EXISTS (
    SELECT
    FROM pg_catalog.pg_class AS class
    CROSS JOIN LATERAL pg_catalog.aclexplode(class.relacl) AS granted
    WHERE class.relnamespace = $1
        AND class.relname = $2
        AND granted.grantee = 'service_role'::pg_catalog.regrole
        AND granted.privilege_type = 'TRIGGER'
        AND pg_catalog.strpos($3, ' IS ' || pg_catalog.quote_literal(pg_catalog.obj_description(class.oid, 'pg_class'))) > 0
)
