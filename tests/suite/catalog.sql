-- Lists all objects in the catalogs, one line each, to compare two databases.
-- Lines have no oids, and lists are sorted, so that equal objects give equal lines. NOT NULL is a property of the
-- column here, because only PostgreSQL 18 and later store it as a constraint.
WITH schemas AS (
    SELECT oid, nspname, nspowner, nspacl
    FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
),
relations AS (
    SELECT class.*, schemas.nspname
    FROM pg_class AS class
    JOIN schemas ON schemas.oid = class.relnamespace
    WHERE class.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
),
-- Objects with their privileges; NULL privileges mean the defaults.
objects (kind, name, owner, default_privileges, privileges) AS (
    SELECT 'schema', format('%I', nspname), nspowner, 'n'::"char", nspacl FROM schemas
    UNION ALL
    SELECT 'relation', format('%I.%I', nspname, relname), relowner, CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relacl
    FROM relations
    UNION ALL
    SELECT
        'routine', format('%I.%I(%s)', nspname, proname, pg_get_function_identity_arguments(proc.oid)), proowner,
        'f'::"char", proacl
    FROM pg_proc AS proc
    JOIN schemas ON schemas.oid = pronamespace
),
lines AS (
    SELECT format('extension %I in %I, owned by %s', extname, nspname, extowner::regrole) AS line
    FROM pg_extension
    JOIN pg_namespace AS namespace ON namespace.oid = extnamespace
    UNION ALL
    SELECT format('member of %I: %s', extname, pg_describe_object(classid, objid, objsubid))
    FROM pg_depend
    JOIN pg_extension AS extension ON extension.oid = refobjid AND refclassid = 'pg_extension'::regclass
    WHERE deptype = 'e' AND extname <> 'plpgsql'
    UNION ALL
    SELECT format('%s %s is owned by %s', kind, name, owner::regrole) FROM objects
    UNION ALL
    SELECT format(
        'privileges on %s %s: %s', kind, name, (
            SELECT string_agg(item::text, ' ' ORDER BY item::text COLLATE "C")
            FROM unnest(COALESCE(privileges, acldefault(default_privileges, owner))) AS item
        )
    )
    FROM objects
    UNION ALL
    SELECT format('privileges on new objects of type %s in schema %s: %s', defaclobjtype, defaclnamespace::regnamespace, defaclacl)
    FROM pg_default_acl
    UNION ALL
    SELECT format('routine %s', pg_get_functiondef(proc.oid))
    FROM pg_proc AS proc
    JOIN schemas ON schemas.oid = pronamespace
    WHERE prokind IN ('f', 'p')
    UNION ALL
    SELECT format(
        'relation %I.%I: kind %s, persistence %s, options %s, row-level security %s, forced %s', nspname, relname, relkind,
        relpersistence, reloptions, relrowsecurity, relforcerowsecurity
    )
    FROM relations
    UNION ALL
    SELECT format('view %I.%I: %s', nspname, relname, pg_get_viewdef(oid)) FROM relations WHERE relkind IN ('v', 'm')
    UNION ALL
    SELECT format(
        'column %s of %I.%I: %I %s, collation %s, not null %s, identity "%s", generated "%s", default %s, privileges %s',
        row_number() OVER (PARTITION BY attrelid ORDER BY attnum), nspname, relname, attname,
        format_type(atttypid, atttypmod), attcollation::regcollation, attnotnull, attidentity, attgenerated,
        pg_get_expr(adbin, adrelid), (
            SELECT string_agg(item::text, ' ' ORDER BY item::text COLLATE "C") FROM unnest(attacl) AS item
        )
    )
    FROM relations
    JOIN pg_attribute ON attrelid = relations.oid AND attnum > 0 AND NOT attisdropped
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    UNION ALL
    SELECT format('constraint %I on %I.%I: %s, valid %s', conname, nspname, relname, pg_get_constraintdef(con.oid), convalidated)
    FROM pg_constraint AS con
    JOIN relations ON relations.oid = conrelid
    WHERE contype <> 'n'
    UNION ALL
    SELECT format('index %s, valid %s, for conflicts at once %s', pg_get_indexdef(indexrelid), indisvalid, indimmediate)
    FROM pg_index
    JOIN relations ON relations.oid = indrelid
    UNION ALL
    SELECT format(
        'policy %I on %I.%I: %s for %s to %s using %s with check %s', policyname, schemaname, tablename, permissive, cmd,
        roles, qual, with_check
    )
    FROM pg_policies
    UNION ALL
    SELECT format('trigger %s, enabled %s', pg_get_triggerdef(trig.oid), tgenabled)
    FROM pg_trigger AS trig
    JOIN relations ON relations.oid = tgrelid
    WHERE NOT tgisinternal
    UNION ALL
    SELECT format('comment on %s: %s', pg_describe_object(classoid, objoid, objsubid), description)
    FROM pg_description
    WHERE pg_describe_object(classoid, objoid, objsubid) IS NOT NULL
        AND (
            (classoid = 'pg_class'::regclass AND objoid IN (SELECT oid FROM relations))
            OR (classoid = 'pg_namespace'::regclass AND objoid IN (SELECT oid FROM schemas))
            OR (classoid = 'pg_proc'::regclass AND objoid IN (
                SELECT proc.oid FROM pg_proc AS proc JOIN schemas ON schemas.oid = pronamespace
            ))
            OR (classoid = 'pg_policy'::regclass)
            OR (classoid = 'pg_constraint'::regclass)
            OR (classoid = 'pg_extension'::regclass)
        )
)
SELECT line FROM lines ORDER BY line COLLATE "C"
