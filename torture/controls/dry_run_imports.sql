-- Imports in a dry run, and returns the result of a dry run.
ALTER FUNCTION run_pipeline_batch(jsonb, uuid, uuid, boolean) RENAME TO good_batch;

CREATE FUNCTION run_pipeline_batch(
    p_records jsonb, p_user_id uuid DEFAULT NULL, p_sync_job_id uuid DEFAULT NULL, p_dry_run boolean DEFAULT false
) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    result CONSTANT jsonb := good_batch(p_records, p_user_id, p_sync_job_id, p_dry_run);
BEGIN
    IF p_dry_run THEN
        PERFORM good_batch(p_records, p_user_id);
    END IF;
    RETURN result;
END
$$;
