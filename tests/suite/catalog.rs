//! What is in a database's catalogs: a line for everything that somebody defined.

use std::collections::BTreeSet;

use crate::support::Session;

const OBJECTS: &str = "
    WITH class AS (
        SELECT oid::regclass AS name, * FROM pg_class WHERE relnamespace = 'public'::regnamespace
    )
    SELECT format(
        'relation %s: %s of %s, %s, security %s %s, acl %s, %s, file %s',
        name, relkind, relowner::regrole, reloptions, relrowsecurity, relforcerowsecurity, relacl,
        obj_description(oid, 'pg_class'), relfilenode
    ) FROM class
    UNION ALL
    SELECT format(
        'column %s.%s: number %s, %s, not null %s, default %s, generated %s%s, acl %s', name, attname, attnum,
        format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid), attgenerated, attidentity, attacl
    )
    FROM class
    JOIN pg_attribute ON attrelid = class.oid AND attnum > 0 AND NOT attisdropped
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relkind <> 'i'
    UNION ALL
    SELECT format('index %s, valid %s', pg_get_indexdef(indexrelid), indisvalid) FROM pg_index JOIN class ON class.oid = indrelid
    UNION ALL
    SELECT format('constraint on %s: %s %s', name, conname, pg_get_constraintdef(pg_constraint.oid))
    FROM pg_constraint JOIN class ON class.oid = conrelid
    UNION ALL
    SELECT format('trigger on %s: %s %s', name, pg_get_triggerdef(pg_trigger.oid), tgenabled)
    FROM pg_trigger JOIN class ON class.oid = tgrelid WHERE NOT tgisinternal
    UNION ALL
    SELECT format(
        'policy on %s: %s %s %s to %s using %s check %s', name, polname, polcmd, polpermissive,
        polroles::regrole[], pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)
    )
    FROM pg_policy JOIN class ON class.oid = polrelid
    UNION ALL
    SELECT format('function %s: %s, acl %s', oid::regprocedure, md5(pg_get_functiondef(oid)), proacl)
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
    UNION ALL
    SELECT format('type %s: %s', oid::regtype, typacl) FROM pg_type WHERE typnamespace = 'public'::regnamespace";

/// Everything in the schema public.
pub fn objects(session: &mut Session) -> BTreeSet<String> {
    session.column::<String>(OBJECTS, &[]).into_iter().collect()
}
