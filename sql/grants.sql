-- Grants EXECUTE on the extension's functions, and nothing to PUBLIC and anon.
--
-- authenticated and service_role may call the functions of the extension's schema. The owner of the database may call
-- all functions, for migrations and backfills: on Supabase a superuser installs the extension and so owns them. Runs at
-- the end of CREATE EXTENSION, and again in bootstrap_auth(), which creates missing roles.
--
-- First revokes what new functions have by default: EXECUTE for PUBLIC, and on Supabase, by default privileges, for its
-- three roles. Loops over the members of the extension, so that no function can be forgotten.
DO $$
DECLARE
    administration CONSTANT pg_catalog.text := 'connector_pipeline';
    api_roles CONSTANT pg_catalog.text := (
        SELECT pg_catalog.string_agg(pg_catalog.quote_ident(rolname::pg_catalog.text), ', ')
        FROM pg_catalog.pg_roles
        WHERE rolname OPERATOR(pg_catalog.=) ANY (ARRAY['authenticated', 'service_role']::pg_catalog.name[])
    );
    strangers CONSTANT pg_catalog.text := pg_catalog.concat_ws(', ', 'PUBLIC', api_roles, (
        SELECT 'anon' FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) 'anon'
    ));
    member pg_catalog.record;
BEGIN
    FOR member IN
        SELECT
            proc.oid::pg_catalog.regprocedure AS signature,
            namespace.nspname OPERATOR(pg_catalog.=) administration AS is_administration,
            pg_catalog.pg_has_role(proc.proowner, 'USAGE') AS is_ours
        FROM pg_catalog.pg_extension AS extension
        JOIN pg_catalog.pg_depend AS depend
            ON depend.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
            AND depend.refobjid OPERATOR(pg_catalog.=) extension.oid
            AND depend.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
        JOIN pg_catalog.pg_proc AS proc ON proc.oid OPERATOR(pg_catalog.=) depend.objid
        JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid OPERATOR(pg_catalog.=) proc.pronamespace
        WHERE extension.extname OPERATOR(pg_catalog.=) 'connector_pipeline'
    LOOP
        IF member.is_ours THEN
            EXECUTE pg_catalog.format('REVOKE ALL ON ROUTINE %s FROM %s', member.signature, strangers);
            -- With GRANT OPTION, so that bootstrap_auth() can grant to the roles that it creates.
            EXECUTE pg_catalog.format(
                'GRANT EXECUTE ON ROUTINE %s TO pg_database_owner WITH GRANT OPTION', member.signature
            );
        END IF;
        IF NOT member.is_administration AND api_roles IS NOT NULL THEN
            EXECUTE pg_catalog.format('GRANT EXECUTE ON ROUTINE %s TO %s', member.signature, api_roles);
        END IF;
    END LOOP;

    IF pg_catalog.pg_has_role(
        (SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname OPERATOR(pg_catalog.=) administration), 'USAGE'
    ) THEN
        GRANT USAGE ON SCHEMA connector_pipeline TO pg_database_owner;
    END IF;
    IF api_roles IS NOT NULL THEN
        -- concat() instead of format(): the schema's name may contain a %.
        EXECUTE pg_catalog.concat('GRANT USAGE ON SCHEMA @extschema@ TO ', api_roles);
        -- Deletes the schema's initial privileges, which pg_dump omits: a restored schema would lack them.
        -- A GRANT within CREATE EXTENSION makes initial privileges of all privileges on the schema, even of older ones.
        IF EXISTS (
            SELECT
            FROM pg_catalog.pg_init_privs
            WHERE classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
                AND objoid OPERATOR(pg_catalog.=) '@extschema@'::pg_catalog.regnamespace
                AND privtype OPERATOR(pg_catalog.=) 'e'
        ) THEN
            DELETE FROM pg_catalog.pg_init_privs
            WHERE classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
                AND objoid OPERATOR(pg_catalog.=) '@extschema@'::pg_catalog.regnamespace
                AND privtype OPERATOR(pg_catalog.=) 'e';
        END IF;
    END IF;
END
$$;
