-- A function in the place of source_metadata_ordered(recordings) that gives something else.
-- $1 schema. Rows: table, object, what is wrong with it, what to run.
SELECT
    'recordings',
    pg_catalog.format('function %s(recordings)', proc.proname),
    pg_catalog.format('gives %s, and has to be a function that gives json', pg_catalog.format_type(proc.prorettype, NULL)),
    pg_catalog.format(
        'ALTER ROUTINE %I.%I(%I.recordings) RENAME TO %I;',
        namespace.nspname, proc.proname, namespace.nspname, 'old_' || proc.proname
    )
FROM pg_catalog.pg_proc AS proc
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = proc.pronamespace
JOIN pg_catalog.pg_class AS class ON class.relnamespace = $1 AND class.relname = 'recordings'
WHERE proc.pronamespace = $1
    AND proc.proname = 'source_metadata_ordered'
    AND proc.pronargs = 1
    AND proc.proargtypes[0] = class.reltype
    AND (proc.prorettype <> 'json'::pg_catalog.regtype OR proc.prokind <> 'f' OR proc.proretset)
