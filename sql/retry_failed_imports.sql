-- Imports kept failures again, without a new fetch. Those that are in afterwards, or were there already, are kept no
-- longer; for the others the batch has counted one attempt more.
CREATE FUNCTION @extschema@.retry_failed_imports(
    p_source_app text DEFAULT NULL,
    p_user_id uuid DEFAULT NULL,
    p_limit integer DEFAULT 100
) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    owner CONSTANT uuid := COALESCE(p_user_id, auth.uid());
    ids uuid[];
    records jsonb;
    result jsonb;
BEGIN
    IF owner IS NULL THEN
        RAISE EXCEPTION 'there is no owner: no p_user_id and no JWT subject'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Pass p_user_id, or call with a user''s JWT.';
    ELSIF p_limit IS NULL OR p_limit < 1 THEN
        RAISE EXCEPTION 'p_limit is %', COALESCE(p_limit::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Pass how many failures to retry at most, 1 or more.';
    END IF;
    -- Those that were tried longest ago first. A concurrent retry takes others.
    SELECT array_agg(failure.id ORDER BY failure.updated_at, failure.external_id, failure.id),
        jsonb_agg(failure.record ORDER BY failure.updated_at, failure.external_id, failure.id)
    INTO ids, records
    FROM (
        SELECT id, record, updated_at, external_id
        FROM @extschema@.import_failures
        WHERE user_id = owner AND (p_source_app IS NULL OR source_app = p_source_app)
        ORDER BY updated_at, external_id, id
        LIMIT p_limit
        FOR UPDATE SKIP LOCKED
    ) AS failure;
    result := @extschema@.run_pipeline_batch(COALESCE(records, '[]'), owner);

    DELETE FROM @extschema@.import_failures
    WHERE id IN (
        SELECT ids[(entry ->> 'index')::integer + 1]
        FROM jsonb_array_elements(result -> 'results') AS entry
        WHERE (entry ->> 'success')::boolean OR entry ? 'skipped'
    );
    RETURN result;
END
$$;
