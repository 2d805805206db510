-- Adds the counts of a batch to its sync job twice.
ALTER FUNCTION run_pipeline_batch(jsonb, uuid, uuid, boolean) RENAME TO good_batch;

CREATE FUNCTION run_pipeline_batch(
    p_records jsonb, p_user_id uuid DEFAULT NULL, p_sync_job_id uuid DEFAULT NULL, p_dry_run boolean DEFAULT false
) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    result CONSTANT jsonb := good_batch(p_records, p_user_id, p_sync_job_id, p_dry_run);
BEGIN
    IF NOT p_dry_run THEN
        UPDATE sync_jobs
        SET progress_current = progress_current + (result ->> 'total')::integer,
            skipped_count = skipped_count + (result ->> 'skipped')::integer
        WHERE id = p_sync_job_id;
    END IF;
    RETURN result;
END
$$;
