-- $1 schema, $2 table, $3 the SQL that makes it: whether it was made by that, which its comment tells, and service_role has
-- TRIGGER on it. An application's own table is none of our business.
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
