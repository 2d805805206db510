-- Opens and closes the sync job of a connector's run. Row-level security decides whose jobs a caller may write.
-- Names are qualified instead of a SET clause, so that an application's triggers run with the caller's search_path.
--
-- An adopted table may have columns of any name: variables win over columns of the same name, and columns are qualified.

CREATE FUNCTION @extschema@.start_sync_job(
    p_source_app text,
    p_external_ids text[] DEFAULT NULL,
    p_user_id uuid DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
    owner CONSTANT pg_catalog.uuid := COALESCE(p_user_id, auth.uid());
    type_value pg_catalog.text;
    job pg_catalog.uuid;
BEGIN
    IF p_source_app IS NULL THEN
        RAISE EXCEPTION 'p_source_app is NULL'
            USING ERRCODE = 'null_value_not_allowed', HINT = 'Pass a value for p_source_app.';
    ELSIF p_source_app OPERATOR(pg_catalog.!~) '[^[:space:]]' THEN
        RAISE EXCEPTION 'p_source_app is blank'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Pass the name of the source, like fathom.';
    ELSIF owner IS NULL THEN
        RAISE EXCEPTION 'no owner: p_user_id and the JWT''s sub are missing'
            USING ERRCODE = 'invalid_parameter_value',
                HINT = 'Pass p_user_id, or call with a user''s JWT (request.jwt.claims with a sub).';
    END IF;
    -- Where a CHECK of the application's refuses our type, the job gets the column's default.
    FOREACH type_value IN ARRAY ARRAY['''sync''', 'DEFAULT'] LOOP
        BEGIN
            -- Without ids, recording_ids takes its default.
            EXECUTE pg_catalog.concat(
                'INSERT INTO @extschema@.sync_jobs
                     (user_id, type, source_app, status, recording_ids, progress_total, started_at)
                 VALUES ($1, ', type_value, ', $2, ''processing'', ',
                CASE WHEN p_external_ids IS NULL THEN 'DEFAULT' ELSE '$3' END, ', $4, pg_catalog.now())
                 RETURNING id'
            )
            INTO job
            USING owner, p_source_app, p_external_ids, COALESCE(pg_catalog.cardinality(p_external_ids), 0);
            EXIT;
        EXCEPTION WHEN check_violation OR string_data_right_truncation THEN
            IF type_value OPERATOR(pg_catalog.=) 'DEFAULT' THEN
                RAISE;
            END IF;
        END;
    END LOOP;
    -- A trigger may have dropped the row, or deleted it.
    IF NOT EXISTS (SELECT FROM @extschema@.sync_jobs AS started WHERE started.id OPERATOR(pg_catalog.=) job) THEN
        RAISE EXCEPTION 'the sync job was not kept: the INSERT left no row'
            USING ERRCODE = 'triggered_action_exception', HINT = 'Look for a trigger on sync_jobs that drops rows.';
    END IF;
    RETURN job;
END
$$;

CREATE FUNCTION @extschema@.finish_sync_job(p_sync_job_id uuid, p_error text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
    -- An empty p_error means no error.
    run_error CONSTANT pg_catalog.text := CASE WHEN p_error OPERATOR(pg_catalog.<>) '' THEN p_error END;
    source_error pg_catalog.text;
    owner pg_catalog.uuid;
    source pg_catalog.text;
    old_status pg_catalog.text;
    imported pg_catalog.int4;
    skipped pg_catalog.numeric;
    failed pg_catalog.int4;
    outcome pg_catalog.text;
    message pg_catalog.text;
BEGIN
    -- Cast: a column may get another type while the session is open, and the plans of variables do not.
    SELECT
        job.user_id,
        job.source_app::pg_catalog.text,
        job.status::pg_catalog.text,
        COALESCE(pg_catalog.cardinality(job.synced_ids), 0),
        pg_catalog.trunc(COALESCE(job.skipped_count, 0)::pg_catalog.numeric),
        COALESCE(pg_catalog.cardinality(job.failed_ids), 0)
    INTO owner, source, old_status, imported, skipped, failed
    FROM @extschema@.sync_jobs AS job
    WHERE job.id OPERATOR(pg_catalog.=) p_sync_job_id
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'p_sync_job_id %: no such sync job, or the job of another user',
            COALESCE(p_sync_job_id::pg_catalog.text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Create a sync job with start_sync_job().';
    END IF;
    outcome := CASE
        WHEN run_error IS NOT NULL THEN 'failed'
        WHEN failed OPERATOR(pg_catalog.>) 0 THEN 'completed_with_errors'
        ELSE 'completed'
    END;
    message := pg_catalog.format('%s new, %s skipped, %s failed', imported, skipped, failed);

    -- Without an error these columns take their default, for one may be NOT NULL.
    IF run_error IS NULL THEN
        UPDATE @extschema@.sync_jobs AS job
        SET status = outcome, error = DEFAULT, completed_at = pg_catalog.now(), updated_at = pg_catalog.now()
        WHERE job.id OPERATOR(pg_catalog.=) p_sync_job_id;
    ELSE
        UPDATE @extschema@.sync_jobs AS job
        SET status = outcome, error = run_error, completed_at = pg_catalog.now(), updated_at = pg_catalog.now()
        WHERE job.id OPERATOR(pg_catalog.=) p_sync_job_id;
    END IF;
    -- A trigger or a rule may have left the row unchanged. (It may also store a status of its own.)
    IF NOT EXISTS (
        SELECT
        FROM @extschema@.sync_jobs AS job
        WHERE job.id OPERATOR(pg_catalog.=) p_sync_job_id
            AND (
                job.status::pg_catalog.text OPERATOR(pg_catalog.=) outcome
                OR job.status::pg_catalog.text OPERATOR(pg_catalog.<>) old_status
            )
    ) THEN
        RAISE EXCEPTION 'the sync job % could not be finished: its row did not change', p_sync_job_id
            USING ERRCODE = 'triggered_action_exception', HINT = 'Look for a trigger or a rule on sync_jobs.';
    END IF;

    source_error := COALESCE(run_error, CASE WHEN failed OPERATOR(pg_catalog.>) 0 THEN message END);
    IF source IS NOT NULL AND source_error IS NULL THEN
        INSERT INTO @extschema@.import_sources (user_id, source_app, last_sync_at)
        VALUES (owner, source, pg_catalog.now())
        ON CONFLICT (user_id, source_app) DO UPDATE
        SET
            last_sync_at = excluded.last_sync_at,
            error_message = DEFAULT,
            updated_at = pg_catalog.now();
    ELSIF source IS NOT NULL THEN
        INSERT INTO @extschema@.import_sources (user_id, source_app, last_sync_at, error_message)
        VALUES (owner, source, pg_catalog.now(), source_error)
        ON CONFLICT (user_id, source_app) DO UPDATE
        SET
            last_sync_at = excluded.last_sync_at,
            error_message = excluded.error_message,
            updated_at = pg_catalog.now();
    END IF;
    IF source IS NOT NULL AND NOT FOUND THEN
        RAISE EXCEPTION 'the sync job % could not be finished: its import source was not written', p_sync_job_id
            USING ERRCODE = 'triggered_action_exception', HINT = 'Look for a trigger on import_sources.';
    END IF;
    RETURN pg_catalog.jsonb_build_object(
        'status', outcome, 'imported', imported, 'skipped', skipped, 'failed', failed, 'message', message
    );
END
$$;
