-- Lists the extension's routines: name and parameters, kind and result, number of defaults.
SELECT
    format(
        '%s.%I(%s)', CASE pronamespace WHEN extnamespace THEN '@extschema@' ELSE pronamespace::regnamespace::text END, proname,
        pg_get_function_identity_arguments(proc.oid)
    ) AS routine,
    format('%s %s', prokind, pg_get_function_result(proc.oid)) AS kind_and_result,
    pronargdefaults AS defaults
FROM pg_extension AS extension
JOIN pg_depend AS depend ON refclassid = 'pg_extension'::regclass AND refobjid = extension.oid AND deptype = 'e'
JOIN pg_proc AS proc ON classid = 'pg_proc'::regclass AND objid = proc.oid
WHERE extname = 'connector_pipeline'
