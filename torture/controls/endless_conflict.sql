-- Raises a serialization failure for some records at every retry.
ALTER FUNCTION run_pipeline(jsonb, uuid) RENAME TO good_pipeline;

CREATE FUNCTION run_pipeline(p_record jsonb, p_user_id uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql
AS $$
BEGIN
    IF (p_record ->> 'external_id')::integer % 100 = 50 THEN
        RAISE EXCEPTION 'could not serialize access' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN good_pipeline(p_record, p_user_id);
END
$$;
