-- Checks whether the schema extensions belongs to a superuser or to the current user.
-- Runs as the owner of the tables.
SELECT EXISTS (
    SELECT
    FROM pg_catalog.pg_namespace AS namespace
    JOIN pg_catalog.pg_roles AS role ON role.oid OPERATOR(pg_catalog.=) namespace.nspowner
    WHERE namespace.nspname OPERATOR(pg_catalog.=) 'extensions'
        AND (role.rolsuper OR role.rolname OPERATOR(pg_catalog.=) current_user)
)
