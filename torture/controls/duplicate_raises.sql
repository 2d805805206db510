-- Raises the dedup index's error for a duplicate instead of skipping the record.
ALTER FUNCTION run_pipeline(jsonb, uuid) RENAME TO good_pipeline;

CREATE FUNCTION run_pipeline(p_record jsonb, p_user_id uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    result CONSTANT jsonb := good_pipeline(p_record, p_user_id);
BEGIN
    IF (result -> 'skipped')::boolean THEN
        RAISE EXCEPTION 'duplicate key value violates unique constraint "recordings_dedup_key"'
            USING ERRCODE = 'unique_violation';
    END IF;
    RETURN result;
END
$$;
