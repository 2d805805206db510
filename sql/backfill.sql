-- Imports the records that a query returns, and commits each chunk.
-- A procedure with COMMIT can't have a SET clause, hence the qualified names; p_query has the caller's search_path.
--
-- The query runs once, to its end, before the first record is imported. Its cursor outlives COMMIT by writing its result to
-- a temporary file: memory stays constant, disk does not, and a query that fails at a late row fails before anything is in.
-- Called again, it starts from the first row, and dedup skips what is in.
--
-- The sync job shows how far it is to other sessions. It gets counts, not ids: lists of millions would be written anew
-- with each chunk. What failed is in import_failures.
--
-- A block with EXCEPTION can't hold a COMMIT. So each chunk is a block of its own, and what was caught is raised again when
-- the job has been closed.
CREATE PROCEDURE connector_pipeline.backfill(
    p_query text,
    p_user_id uuid DEFAULT NULL,
    p_batch_size integer DEFAULT 1000
)
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
    -- An array of jsonb may be of 256 MB at most, and so may one record.
    max_chunk_bytes CONSTANT pg_catalog.int8 := 67108864;
    -- What run_pipeline_batch() takes.
    max_chunk_records CONSTANT pg_catalog.int4 := LEAST(p_batch_size, 100000);
    source CONSTANT pg_catalog.refcursor := 'connector_pipeline.backfill';
    record pg_catalog.jsonb;
    -- The row that was read last, unpacked: in an array of one. NULL: there is none left.
    next_row pg_catalog.jsonb[];
    chunk pg_catalog.jsonb[];
    chunk_bytes pg_catalog.int8;
    progress pg_catalog.jsonb;
    -- With the chunk, once it is certain.
    new_progress pg_catalog.jsonb;
    error_code pg_catalog.text;
    error_message pg_catalog.text;
    error_detail pg_catalog.text;
    error_hint pg_catalog.text;
BEGIN
    IF p_query IS NULL OR p_batch_size IS NULL OR p_batch_size OPERATOR(pg_catalog.<) 1 THEN
        RAISE EXCEPTION 'p_query must not be NULL, and p_batch_size must be 1 or more, but is %',
            COALESCE(p_batch_size::pg_catalog.text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value',
                HINT = 'Run CALL connector_pipeline.backfill($q$ SELECT to_jsonb(s) FROM staging AS s $q$).';
    END IF;
    progress := connector_pipeline.start_backfill(connector_pipeline.count_records(p_query), p_user_id);
    COMMIT;

    BEGIN
        -- Left behind by a run of this session that ended at a COMMIT.
        IF EXISTS (
            SELECT FROM pg_catalog.pg_cursors AS cursors WHERE cursors.name OPERATOR(pg_catalog.=) source::pg_catalog.text
        ) THEN
            CLOSE source;
        END IF;
        EXECUTE connector_pipeline.cursor_of(p_query, source::pg_catalog.text);
        MOVE FORWARD ALL FROM source;
        MOVE BACKWARD ALL FROM source;
        FETCH source INTO record;
        next_row := CASE WHEN FOUND THEN ARRAY[record] END;
    EXCEPTION WHEN OTHERS OR query_canceled OR assert_failure THEN
        GET STACKED DIAGNOSTICS error_code = RETURNED_SQLSTATE, error_message = MESSAGE_TEXT,
            error_detail = PG_EXCEPTION_DETAIL, error_hint = PG_EXCEPTION_HINT;
    END;
    COMMIT;

    WHILE next_row IS NOT NULL AND error_code IS NULL LOOP
        BEGIN
            chunk := '{}';
            chunk_bytes := 0;
            LOOP
                -- A sum, for the size of an array takes a look at each element.
                chunk_bytes := chunk_bytes OPERATOR(pg_catalog.+) pg_catalog.pg_column_size(next_row);
                EXIT WHEN pg_catalog.cardinality(chunk) OPERATOR(pg_catalog.>) 0
                    AND chunk_bytes OPERATOR(pg_catalog.>) max_chunk_bytes;
                chunk := pg_catalog.array_append(chunk, next_row[1]);
                FETCH source INTO record;
                next_row := CASE WHEN FOUND THEN ARRAY[record] END;
                EXIT WHEN next_row IS NULL
                    OR pg_catalog.cardinality(chunk) OPERATOR(pg_catalog.>=) max_chunk_records;
            END LOOP;
            new_progress := connector_pipeline.import_chunk(chunk, p_user_id, progress);
            -- What COMMIT would raise is raised here, where it is caught.
            SET CONSTRAINTS ALL IMMEDIATE;
            progress := new_progress;
        EXCEPTION WHEN OTHERS OR query_canceled OR assert_failure THEN
            GET STACKED DIAGNOSTICS error_code = RETURNED_SQLSTATE, error_message = MESSAGE_TEXT,
                error_detail = PG_EXCEPTION_DETAIL, error_hint = PG_EXCEPTION_HINT;
        END;
        COMMIT;
    END LOOP;

    IF EXISTS (
        SELECT FROM pg_catalog.pg_cursors AS cursors WHERE cursors.name OPERATOR(pg_catalog.=) source::pg_catalog.text
    ) THEN
        CLOSE source;
    END IF;
    PERFORM connector_pipeline.finish_backfill(progress, error_message);
    IF error_code IS NULL THEN
        RETURN;
    END IF;
    COMMIT;
    RAISE EXCEPTION USING ERRCODE = error_code, MESSAGE = error_message,
        DETAIL = COALESCE(
            CASE WHEN error_detail OPERATOR(pg_catalog.<>) '' THEN error_detail END,
            pg_catalog.format(
                '%s of %s records were done.',
                progress OPERATOR(pg_catalog.->>) 'done', progress OPERATOR(pg_catalog.->>) 'total'
            )
        ),
        HINT = COALESCE(
            CASE WHEN error_hint OPERATOR(pg_catalog.<>) '' THEN error_hint END,
            'Run backfill() again: it skips the records that are imported.'
        );
END
$$;

-- The parts of backfill(), which is their only caller. They hand on {made_by, started, pid, session, total, done, imported,
-- skipped, failed, job}, which is the job's metadata too. An adopted table may have columns of any name: variables win where
-- a name is both, and every column is qualified.

-- The query between brackets: a comment may end it, and a semicolon.
CREATE FUNCTION connector_pipeline.subquery_of(p_query text) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT concat('(', rtrim(p_query, E' \t\r\n;'), E'\n)') $$;

-- The type of the query's first column. LIMIT 0: no row is asked for.
CREATE FUNCTION connector_pipeline.type_of(p_query text) RETURNS regtype
LANGUAGE plpgsql
AS $$
DECLARE
    found_type pg_catalog.regtype;
BEGIN
    EXECUTE pg_catalog.concat(
        'SELECT pg_catalog.pg_typeof((SELECT records.record FROM ',
        connector_pipeline.subquery_of(p_query), ' AS records (record) LIMIT 0))'
    )
    INTO found_type;
    RETURN found_type;
END
$$;

-- How the query's rows are read, as jsonb. MATERIALIZED: it can be gone back to the first row without running it again.
CREATE FUNCTION connector_pipeline.cursor_of(p_query text, p_name text) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    is_json CONSTANT pg_catalog.bool :=
        connector_pipeline.type_of(p_query) OPERATOR(pg_catalog.=) 'pg_catalog.json'::pg_catalog.regtype;
BEGIN
    RETURN pg_catalog.concat(
        'DECLARE ', pg_catalog.quote_ident(p_name), ' SCROLL CURSOR WITH HOLD FOR WITH given (record) AS MATERIALIZED ',
        connector_pipeline.subquery_of(p_query), ' SELECT ',
        CASE WHEN is_json THEN 'connector_pipeline.record_of(given.record)' ELSE 'given.record' END, ' FROM given'
    );
END
$$;

-- What jsonb refuses of a json (\u0000) becomes a string: no record, which fails alone and is kept.
CREATE FUNCTION connector_pipeline.record_of(p_json json) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN p_json::jsonb;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    RETURN to_jsonb(p_json::text);
END
$$;

-- Counts the records of a query; fails if its column is not jsonb.
CREATE FUNCTION connector_pipeline.count_records(p_query text) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    found_type CONSTANT pg_catalog.regtype := connector_pipeline.type_of(p_query);
    total pg_catalog.int8;
BEGIN
    IF found_type OPERATOR(pg_catalog.<>) ALL (ARRAY['pg_catalog.jsonb', 'pg_catalog.json']::pg_catalog.regtype[]) THEN
        RAISE EXCEPTION 'p_query must return one column of type jsonb, not %', found_type
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Pass a query like SELECT to_jsonb(s) FROM staging AS s.';
    END IF;
    EXECUTE pg_catalog.concat('SELECT pg_catalog.count(*) FROM ', connector_pipeline.subquery_of(p_query), ' AS records')
    INTO total;
    RETURN total;
END
$$;

CREATE FUNCTION connector_pipeline.start_backfill(p_total bigint, p_user_id uuid) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    progress jsonb := jsonb_build_object(
        'made_by', 'connector_pipeline.backfill', 'started', clock_timestamp(), 'pid', pg_backend_pid(),
        'session', (SELECT activity.backend_start FROM pg_stat_activity AS activity WHERE activity.pid = pg_backend_pid()),
        'total', p_total, 'done', 0, 'imported', 0, 'skipped', 0, 'failed', 0, 'job', NULL
    );
BEGIN
    -- Runs that were killed could not say so themselves: those that bear our mark, and whose session is over or is this one.
    -- A number may be another session's by now; when that began is shown to those who may see it. (As jsonb and text: users
    -- write jobs too, and what they like into them.)
    UPDATE @extschema@.sync_jobs AS job
    SET status = 'failed', error = 'stopped', completed_at = job.updated_at
    WHERE job.status = 'processing'
        AND job.metadata -> 'made_by' = progress -> 'made_by'
        AND NOT EXISTS (
            SELECT
            FROM pg_stat_activity AS activity
            WHERE activity.pid::text = job.metadata ->> 'pid'
                AND activity.pid <> pg_backend_pid()
                AND (activity.backend_start IS NULL OR to_jsonb(activity.backend_start) = job.metadata -> 'session')
        );
    IF p_user_id IS NOT NULL THEN
        progress := connector_pipeline.open_backfill_job(p_user_id, progress);
        IF progress ->> 'job' IS NULL THEN
            RAISE EXCEPTION 'p_user_id %: this user does not exist', p_user_id
                USING ERRCODE = 'foreign_key_violation', HINT = 'Pass the id of an existing user.';
        END IF;
    END IF;
    RETURN progress;
END
$$;

-- Creates the sync job of a backfill, unless the user does not exist.
CREATE FUNCTION connector_pipeline.open_backfill_job(p_user_id uuid, p_progress jsonb) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    types CONSTANT text[] := ARRAY['''backfill''', 'DEFAULT', '''sync'''];
    job uuid;
BEGIN
    -- A CHECK of the application's may know other types than ours.
    FOR attempt IN 1..cardinality(types) LOOP
        BEGIN
            EXECUTE concat(
                'INSERT INTO @extschema@.sync_jobs (user_id, type, status, progress_total, metadata, started_at)
                 VALUES ($1, ', types[attempt], ', ''processing'', $2, $3, $4)
                 RETURNING id'
            )
            INTO job
            USING p_user_id, (p_progress ->> 'total')::bigint, p_progress, (p_progress ->> 'started')::timestamptz;
            IF job IS NULL THEN
                RAISE EXCEPTION 'the sync job of the backfill was not kept: the INSERT left no row'
                    USING ERRCODE = 'triggered_action_exception',
                        HINT = 'Look for a trigger on sync_jobs that drops rows.';
            END IF;
            RETURN p_progress || jsonb_build_object('job', job);
        EXCEPTION WHEN check_violation OR string_data_right_truncation OR not_null_violation THEN
            IF attempt = cardinality(types) THEN
                RAISE;
            END IF;
        END;
    END LOOP;
EXCEPTION WHEN foreign_key_violation THEN
    RETURN p_progress;
END
$$;

-- Imports a chunk. No SET clause: triggers on recordings run with the caller's search_path, as in any import.
CREATE FUNCTION connector_pipeline.import_chunk(p_chunk jsonb[], p_user_id uuid, p_progress jsonb) RETURNS jsonb
LANGUAGE plpgsql
AS $$
BEGIN
    RETURN connector_pipeline.count_chunk(
        p_chunk[1], @extschema@.run_pipeline_batch(pg_catalog.to_jsonb(p_chunk), p_user_id), p_progress
    );
END
$$;

CREATE FUNCTION connector_pipeline.count_chunk(p_first_record jsonb, p_result jsonb, p_progress jsonb) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    done CONSTANT bigint := (p_progress ->> 'done')::bigint + (p_result ->> 'total')::bigint;
    total CONSTANT bigint := greatest((p_progress ->> 'total')::bigint, done);
    rate CONSTANT numeric := done / greatest(
        extract(epoch FROM clock_timestamp() - (p_progress ->> 'started')::timestamptz), 0.001
    );
    progress jsonb := p_progress || jsonb_build_object(
        'done', done,
        'total', total,
        'imported', (p_progress ->> 'imported')::bigint + (p_result ->> 'imported')::bigint,
        'skipped', (p_progress ->> 'skipped')::bigint + (p_result ->> 'skipped')::bigint,
        'failed', (p_progress ->> 'failed')::bigint + (p_result ->> 'failed')::bigint
    );
    first_owner CONSTANT text := p_first_record ->> 'owner_user_id';
BEGIN
    -- Without p_user_id the sync job belongs to the owner of the first record.
    IF progress ->> 'job' IS NULL AND first_owner ~ '^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$' THEN
        progress := connector_pipeline.open_backfill_job(first_owner::uuid, progress);
    END IF;
    UPDATE @extschema@.sync_jobs AS job
    SET progress_current = done, progress_total = total, skipped_count = (progress ->> 'skipped')::bigint,
        metadata = progress, updated_at = clock_timestamp()
    WHERE job.id = (progress ->> 'job')::uuid;
    -- A trigger or a rule may have left the row unchanged. (A row that is gone was deleted by its user.)
    IF EXISTS (
        SELECT
        FROM @extschema@.sync_jobs AS job
        WHERE job.id = (progress ->> 'job')::uuid
            AND job.progress_current = (p_progress ->> 'done')::bigint
            AND job.progress_current <> done
    ) THEN
        RAISE EXCEPTION 'the counts of sync job % of the backfill were not kept', progress ->> 'job'
            USING ERRCODE = 'triggered_action_exception', HINT = 'Look for a trigger or a rule on sync_jobs.';
    END IF;

    RAISE NOTICE 'backfill: % of % (% %%), % a second, % left, % failed', done, total, round(100.0 * done / total),
        round(rate), make_interval(secs => round((total - done) / rate)::double precision), progress ->> 'failed';
    RETURN progress;
END
$$;

-- Closes the job. p_error: what ended the run, where it did not come to its end.
CREATE FUNCTION connector_pipeline.finish_backfill(p_progress jsonb, p_error text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    IF p_error IS NOT NULL THEN
        UPDATE @extschema@.sync_jobs AS job
        SET status = 'failed', error = p_error, completed_at = clock_timestamp(), updated_at = clock_timestamp()
        WHERE job.id = (p_progress ->> 'job')::uuid;
        RETURN;
    END IF;
    UPDATE @extschema@.sync_jobs AS job
    SET status = CASE WHEN (p_progress ->> 'failed')::bigint > 0 THEN 'completed_with_errors' ELSE 'completed' END,
        completed_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE job.id = (p_progress ->> 'job')::uuid;
    IF EXISTS (
        SELECT
        FROM @extschema@.sync_jobs AS job
        WHERE job.id = (p_progress ->> 'job')::uuid AND job.status = 'processing'
    ) THEN
        RAISE EXCEPTION 'the sync job % of the backfill could not be finished', p_progress ->> 'job'
            USING ERRCODE = 'triggered_action_exception', HINT = 'Look for a trigger or a rule on sync_jobs.';
    END IF;
    RAISE NOTICE 'backfill: % new, % skipped, % failed, in % s', p_progress ->> 'imported', p_progress ->> 'skipped',
        p_progress ->> 'failed',
        round(extract(epoch FROM clock_timestamp() - (p_progress ->> 'started')::timestamptz), 1);
END
$$;
