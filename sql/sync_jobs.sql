-- Sync jobs: what a connector's run opens before its batches and closes after them. Row-level security decides whose job
-- it may be.

CREATE FUNCTION @extschema@.start_sync_job(
    p_source_app text,
    p_external_ids text[] DEFAULT NULL,
    p_user_id uuid DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    owner CONSTANT uuid := COALESCE(p_user_id, auth.uid());
    job uuid;
BEGIN
    IF p_source_app IS NULL THEN
        RAISE EXCEPTION 'p_source_app is NULL'
            USING ERRCODE = 'null_value_not_allowed', HINT = 'Pass a value for p_source_app.';
    ELSIF p_source_app !~ '\S' THEN
        RAISE EXCEPTION 'p_source_app is blank'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Pass the name of the source, like fathom.';
    ELSIF owner IS NULL THEN
        RAISE EXCEPTION 'there is no owner: no p_user_id and no JWT subject'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Pass p_user_id, or call with a user''s JWT.';
    END IF;
    INSERT INTO @extschema@.sync_jobs (user_id, type, source_app, status, recording_ids, progress_total, started_at)
    VALUES (owner, 'sync', p_source_app, 'processing', p_external_ids, COALESCE(cardinality(p_external_ids), 0), now())
    RETURNING id INTO job;
    RETURN job;
END
$$;

CREATE FUNCTION @extschema@.finish_sync_job(p_sync_job_id uuid, p_error text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- A client without an error may send an empty one.
    run_error CONSTANT text := NULLIF(p_error, '');
    job record;
    imported integer;
    skipped integer;
    failed integer;
    outcome text;
    message text;
BEGIN
    SELECT * INTO job FROM @extschema@.sync_jobs WHERE id = p_sync_job_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'p_sync_job_id %: there is no such sync job of yours', COALESCE(p_sync_job_id::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Make one with start_sync_job().';
    END IF;
    imported := COALESCE(cardinality(job.synced_ids), 0);
    skipped := COALESCE(job.skipped_count, 0);
    failed := COALESCE(cardinality(job.failed_ids), 0);
    outcome := CASE
        WHEN run_error IS NOT NULL THEN 'failed'
        WHEN failed > 0 THEN 'completed_with_errors'
        ELSE 'completed'
    END;
    message := format('%s new, %s skipped, %s failed', imported, skipped, failed);

    UPDATE @extschema@.sync_jobs
    SET status = outcome, error = run_error, completed_at = now(), updated_at = now()
    WHERE id = p_sync_job_id;

    IF job.source_app IS NOT NULL THEN
        INSERT INTO @extschema@.import_sources AS source (user_id, source_app, last_sync_at, error_message)
        VALUES (job.user_id, job.source_app, now(), COALESCE(run_error, CASE WHEN failed > 0 THEN message END))
        ON CONFLICT (user_id, source_app) DO UPDATE
        SET last_sync_at = excluded.last_sync_at, error_message = excluded.error_message, updated_at = now();
    END IF;
    RETURN jsonb_build_object(
        'status', outcome, 'imported', imported, 'skipped', skipped, 'failed', failed, 'message', message
    );
END
$$;
