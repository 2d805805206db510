-- Checks whether a policy exists.
-- $1 schema, $2 policy, $3 table.
SELECT EXISTS (
    SELECT
    FROM pg_catalog.pg_policy AS policy
    JOIN pg_catalog.pg_class AS class ON class.oid = policy.polrelid
    WHERE class.relnamespace = $1 AND class.relname = $3 AND policy.polname = $2
)
