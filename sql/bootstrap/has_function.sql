-- $1 schema, $3 function. One that bootstrap() of 0.1.0 made doesn't count: its body is a parsed one, which blocks changes
-- of the table.
SELECT EXISTS (
    SELECT
    FROM pg_catalog.pg_proc AS proc
    WHERE proc.pronamespace = $1 AND proc.proname = $3
        AND (
            proc.prosqlbody IS NULL
            OR pg_catalog.obj_description(proc.oid, 'pg_proc')
                LIKE 'source_metadata with external_id as its first key;%' IS NOT TRUE
        )
)
