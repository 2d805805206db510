-- Returns the result of an import whose subtransaction was rolled back.
-- A pipeline that catches an error outside of the import's subtransaction would do so.
ALTER FUNCTION run_pipeline(jsonb, uuid) RENAME TO good_pipeline;

CREATE FUNCTION run_pipeline(p_record jsonb, p_user_id uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    result jsonb;
BEGIN
    result := good_pipeline(p_record, p_user_id);
    IF random() < 0.3 THEN
        RAISE EXCEPTION 'something after it';
    END IF;
    RETURN result;
EXCEPTION WHEN raise_exception THEN
    RETURN result;
END
$$;
