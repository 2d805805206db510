-- An import whose result outlives its subtransaction, as where an error is caught outside of the import.
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
