-- Omits the result of the last record in some batches.
ALTER FUNCTION run_pipeline_batch(jsonb, uuid, uuid, boolean) RENAME TO good_batch;

CREATE FUNCTION run_pipeline_batch(
    p_records jsonb, p_user_id uuid DEFAULT NULL, p_sync_job_id uuid DEFAULT NULL, p_dry_run boolean DEFAULT false
) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    result CONSTANT jsonb := good_batch(p_records, p_user_id, p_sync_job_id, p_dry_run);
BEGIN
    RETURN CASE WHEN random() < 0.05 THEN result #- '{results,-1}' ELSE result END;
END
$$;
