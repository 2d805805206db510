-- Checks whether a function of a row of recordings exists; compatibility/functions.sql checks its result type.
-- The function that bootstrap() of 0.1.0 created does not count: its parsed body blocks changes of the table.
-- $1 schema, $2 function.
SELECT EXISTS (
    SELECT
    FROM pg_catalog.pg_proc AS proc
    JOIN pg_catalog.pg_class AS class ON class.relnamespace = $1 AND class.relname = 'recordings'
    WHERE proc.pronamespace = $1
        AND proc.proname = $2
        AND proc.proargtypes[0] = class.reltype
        AND proc.pronargs = 1
        AND (
            proc.prosqlbody IS NULL
            OR pg_catalog.obj_description(proc.oid, 'pg_proc')
                LIKE 'source_metadata with external_id as its first key;%' IS NOT TRUE
        )
)
