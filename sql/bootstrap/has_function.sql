-- $1 schema, $2 function, of a row of recordings. (That it gives what it should is asked in wrong_functions.sql.)
SELECT EXISTS (
    SELECT
    FROM pg_catalog.pg_proc AS proc
    JOIN pg_catalog.pg_class AS class ON class.relnamespace = $1 AND class.relname = 'recordings'
    WHERE proc.pronamespace = $1 AND proc.proname = $2 AND proc.proargtypes[0] = class.reltype AND proc.pronargs = 1
)
