-- Finds a function source_metadata_ordered(recordings) that returns another type or has another owner. The owner must
-- be a superuser or own the table: readers of the computed column run the function with their own rights.
-- $1 schema. Rows: table, object, problem, SQL to run.
SELECT
    'recordings',
    pg_catalog.format('function %s(recordings)', proc.proname),
    CASE
        WHEN is_trusted
        THEN pg_catalog.format(
            'returns %s, but must be a function that returns json', pg_catalog.format_type(proc.prorettype, NULL)
        )
        ELSE pg_catalog.format('belongs to %s, but must belong to the owner of the table', owner.rolname)
    END,
    pg_catalog.format(
        'ALTER ROUTINE %I.%I(%I.recordings) RENAME TO %I;%s',
        namespace.nspname, proc.proname, namespace.nspname, 'old_' || proc.proname,
        CASE WHEN is_trusted THEN '' ELSE pg_catalog.format(' -- as %s', owner.rolname) END
    )
FROM pg_catalog.pg_proc AS proc
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = proc.pronamespace
JOIN pg_catalog.pg_class AS class ON class.relnamespace = $1 AND class.relname = 'recordings'
JOIN pg_catalog.pg_roles AS owner ON owner.oid = proc.proowner
CROSS JOIN LATERAL (SELECT owner.rolsuper OR owner.oid = class.relowner AS is_trusted) AS trust
WHERE proc.pronamespace = $1
    AND proc.proname = 'source_metadata_ordered'
    AND proc.pronargs = 1
    AND proc.proargtypes[0] = class.reltype
    AND (NOT is_trusted OR proc.prorettype <> 'json'::pg_catalog.regtype OR proc.prokind <> 'f' OR proc.proretset)
