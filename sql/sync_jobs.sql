-- Opens and closes the sync job of a connector's run. Row-level security decides whose jobs a caller may write.
-- Names are qualified instead of a SET clause, so that an application's triggers run with the caller's search_path.

CREATE FUNCTION @extschema@.start_sync_job(
    p_source_app text,
    p_external_ids text[] DEFAULT NULL,
    p_user_id uuid DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql
AS $$
DECLARE
    owner CONSTANT pg_catalog.uuid := COALESCE(p_user_id, auth.uid());
    job pg_catalog.uuid;
BEGIN
    IF p_source_app IS NULL THEN
        RAISE EXCEPTION 'p_source_app is NULL'
            USING ERRCODE = 'null_value_not_allowed', HINT = 'Pass a value for p_source_app.';
    ELSIF p_source_app OPERATOR(pg_catalog.!~) '\S' THEN
        RAISE EXCEPTION 'p_source_app is blank'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Pass the name of the source, like fathom.';
    ELSIF owner IS NULL THEN
        RAISE EXCEPTION 'no owner: p_user_id and the JWT''s sub are missing'
            USING ERRCODE = 'invalid_parameter_value',
                HINT = 'Pass p_user_id, or call with a user''s JWT (request.jwt.claims with a sub).';
    END IF;
    INSERT INTO @extschema@.sync_jobs (user_id, type, source_app, status, recording_ids, progress_total, started_at)
    VALUES (
        owner, 'sync', p_source_app, 'processing', p_external_ids,
        COALESCE(pg_catalog.cardinality(p_external_ids), 0), pg_catalog.now()
    )
    RETURNING id INTO job;
    -- A trigger may have dropped the row, or deleted it.
    IF NOT EXISTS (SELECT FROM @extschema@.sync_jobs WHERE id OPERATOR(pg_catalog.=) job) THEN
        RAISE EXCEPTION 'the sync job was not kept: the insert went through and left no row'
            USING ERRCODE = 'triggered_action_exception', HINT = 'Look for a trigger on sync_jobs that drops rows.';
    END IF;
    RETURN job;
END
$$;

CREATE FUNCTION @extschema@.finish_sync_job(p_sync_job_id uuid, p_error text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    -- An empty p_error means no error.
    run_error CONSTANT pg_catalog.text := CASE WHEN p_error OPERATOR(pg_catalog.<>) '' THEN p_error END;
    job pg_catalog.record;
    imported pg_catalog.int4;
    skipped pg_catalog.int4;
    failed pg_catalog.int4;
    outcome pg_catalog.text;
    message pg_catalog.text;
BEGIN
    SELECT * INTO job FROM @extschema@.sync_jobs WHERE id OPERATOR(pg_catalog.=) p_sync_job_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'p_sync_job_id %: no such sync job, or the job of another user',
            COALESCE(p_sync_job_id::pg_catalog.text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Create a sync job with start_sync_job().';
    END IF;
    imported := COALESCE(pg_catalog.cardinality(job.synced_ids), 0);
    skipped := COALESCE(job.skipped_count, 0);
    failed := COALESCE(pg_catalog.cardinality(job.failed_ids), 0);
    outcome := CASE
        WHEN run_error IS NOT NULL THEN 'failed'
        WHEN failed OPERATOR(pg_catalog.>) 0 THEN 'completed_with_errors'
        ELSE 'completed'
    END;
    message := pg_catalog.format('%s new, %s skipped, %s failed', imported, skipped, failed);

    UPDATE @extschema@.sync_jobs
    SET status = outcome, error = run_error, completed_at = pg_catalog.now(), updated_at = pg_catalog.now()
    WHERE id OPERATOR(pg_catalog.=) p_sync_job_id;
    -- A trigger or a rule may have kept the row as it was. (It may as well have its own word for the status.)
    IF NOT EXISTS (
        SELECT
        FROM @extschema@.sync_jobs AS finished
        WHERE finished.id OPERATOR(pg_catalog.=) p_sync_job_id
            AND (
                finished.status OPERATOR(pg_catalog.=) outcome
                OR finished.status OPERATOR(pg_catalog.<>) job.status
            )
    ) THEN
        RAISE EXCEPTION 'the sync job % could not be finished: its row stayed as it was', p_sync_job_id
            USING ERRCODE = 'triggered_action_exception', HINT = 'Look for a trigger or a rule on sync_jobs.';
    END IF;

    IF job.source_app IS NOT NULL THEN
        INSERT INTO @extschema@.import_sources AS source (user_id, source_app, last_sync_at, error_message)
        VALUES (
            job.user_id, job.source_app, pg_catalog.now(),
            COALESCE(run_error, CASE WHEN failed OPERATOR(pg_catalog.>) 0 THEN message END)
        )
        ON CONFLICT (user_id, source_app) DO UPDATE
        SET
            last_sync_at = excluded.last_sync_at,
            error_message = excluded.error_message,
            updated_at = pg_catalog.now();
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the sync job % could not be finished: its import source was not written', p_sync_job_id
                USING ERRCODE = 'triggered_action_exception', HINT = 'Look for a trigger on import_sources.';
        END IF;
    END IF;
    RETURN pg_catalog.jsonb_build_object(
        'status', outcome, 'imported', imported, 'skipped', skipped, 'failed', failed, 'message', message
    );
END
$$;
