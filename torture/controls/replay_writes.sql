-- Updates the recordings that a batch skips.
ALTER FUNCTION run_pipeline_batch(jsonb, uuid, uuid, boolean) RENAME TO good_batch;

CREATE FUNCTION write_anew(p_results jsonb) RETURNS void
LANGUAGE sql SECURITY DEFINER
AS $$
    UPDATE recordings
    SET synced_at = clock_timestamp()
    WHERE id IN (
        SELECT (result ->> 'recordingId')::uuid
        FROM jsonb_array_elements(p_results) AS result
        WHERE (result -> 'skipped')::boolean
    )
$$;

CREATE FUNCTION run_pipeline_batch(
    p_records jsonb, p_user_id uuid DEFAULT NULL, p_sync_job_id uuid DEFAULT NULL, p_dry_run boolean DEFAULT false
) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    result CONSTANT jsonb := good_batch(p_records, p_user_id, p_sync_job_id, p_dry_run);
BEGIN
    -- Only batches as large as the replay's, which run without other connections. With others these updates would
    -- deadlock, during REINDEX CONCURRENTLY even with SKIP LOCKED, and end the round with another violation.
    IF NOT p_dry_run AND jsonb_array_length(p_records) > 100 THEN
        PERFORM write_anew(result -> 'results');
    END IF;
    RETURN result;
END
$$;
