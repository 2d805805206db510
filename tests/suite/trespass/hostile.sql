-- Creates a copy of every name in pg_catalog and of ours, which raises when used.
CREATE SCHEMA hostile;
GRANT USAGE ON SCHEMA hostile TO PUBLIC;

DO $$
DECLARE
    twin record;
    body CONSTANT text := ' LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION ''hijacked''; END $f$';
BEGIN
    -- Aggregates become plain functions, and arguments of type "any" become anyelement.
    FOR twin IN
        SELECT DISTINCT
            proname,
            replace(replace(pg_get_function_identity_arguments(oid), 'VARIADIC "any"', 'VARIADIC anyarray'), '"any"', 'anyelement')
                AS arguments,
            format_type(prorettype, NULL) AS result
        FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace
            AND pg_get_function_identity_arguments(oid) !~ 'internal|cstring|OUT |ORDER BY'
    LOOP
        BEGIN
            EXECUTE format('CREATE FUNCTION hostile.%I(%s) RETURNS %s', twin.proname, twin.arguments, twin.result) || body;
        EXCEPTION WHEN invalid_function_definition OR feature_not_supported OR duplicate_function OR syntax_error THEN
            NULL;
        END;
    END LOOP;

    FOR twin IN
        SELECT
            oid, oprname,
            concat_ws(', ', 'LEFTARG = ' || nullif(oprleft, 0)::regtype, 'RIGHTARG = ' || oprright::regtype) AS arguments,
            concat_ws(', ', nullif(oprleft, 0)::regtype, oprright::regtype) AS types,
            oprresult::regtype AS result
        FROM pg_operator
        WHERE oprnamespace = 'pg_catalog'::regnamespace
    LOOP
        BEGIN
            EXECUTE format('CREATE FUNCTION hostile.operator_%s(%s) RETURNS %s', twin.oid, twin.types, twin.result) || body;
            EXECUTE format('CREATE OPERATOR hostile.%s (%s, FUNCTION = hostile.operator_%s)', twin.oprname, twin.arguments, twin.oid);
        EXCEPTION WHEN invalid_function_definition THEN
            NULL;
        END;
    END LOOP;

    -- Tables come last, because each table also creates a type of its name, which the statements above would find.
    FOR twin IN
        SELECT typname AS name
        FROM pg_type
        WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r') AND typname !~ '^_'
        UNION
        SELECT relname
        FROM pg_class
        WHERE relnamespace IN ('pg_catalog'::regnamespace, quote_ident(current_schema())::regnamespace)
            AND relkind IN ('r', 'v')
    LOOP
        EXECUTE format('CREATE TABLE hostile.%I (hijacked integer)', twin.name);
        EXECUTE format('GRANT ALL ON hostile.%I TO PUBLIC', twin.name);
    END LOOP;

    FOR twin IN
        SELECT proname, pg_get_function_identity_arguments(oid) AS arguments
        FROM pg_proc
        WHERE pronamespace = quote_ident(current_schema())::regnamespace AND prokind = 'f'
    LOOP
        EXECUTE format('CREATE FUNCTION hostile.%I(%s) RETURNS void', twin.proname, twin.arguments) || body;
    END LOOP;
END
$$;
