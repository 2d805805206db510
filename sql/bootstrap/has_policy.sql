-- $1 schema, $2 table, $3 policy.
SELECT EXISTS (
    SELECT
    FROM pg_catalog.pg_policy AS policy
    JOIN pg_catalog.pg_class AS class ON class.oid = policy.polrelid
    WHERE class.relnamespace = $1 AND class.relname = $2 AND policy.polname = $3
)
