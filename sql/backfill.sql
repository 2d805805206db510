-- Imports the records that a query returns, and commits each chunk.
-- A procedure with COMMIT can't have a SET clause, hence the qualified names; p_query has the caller's search_path.
--
-- The loop's cursor outlives the first COMMIT by writing the whole rest of its result to a temporary file: memory stays
-- constant, disk does not, and a query that fails at a late row fails at the first COMMIT. Called again, it starts from
-- the first row, and dedup skips what is in.
--
-- The sync job shows how far it is to other sessions. It gets counts, not ids: lists of millions would be written anew
-- with each chunk. What failed is in import_failures.
CREATE PROCEDURE connector_pipeline.backfill(
    p_query text,
    p_user_id uuid DEFAULT NULL,
    p_batch_size integer DEFAULT 1000
)
LANGUAGE plpgsql
AS $$
DECLARE
    -- An array of jsonb may be of 256 MB at most.
    max_chunk_bytes CONSTANT pg_catalog.int4 := 67108864;
    record pg_catalog.jsonb;
    chunk pg_catalog.jsonb[] := '{}';
    progress pg_catalog.jsonb;
BEGIN
    IF p_query IS NULL OR p_batch_size IS NULL OR p_batch_size OPERATOR(pg_catalog.<) 1 THEN
        RAISE EXCEPTION 'p_query must not be NULL, and p_batch_size must be 1 or more, but is %',
            COALESCE(p_batch_size::pg_catalog.text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value',
                HINT = 'Run CALL connector_pipeline.backfill($q$ SELECT to_jsonb(s) FROM staging AS s $q$).';
    END IF;
    progress := connector_pipeline.start_backfill(connector_pipeline.count_records(p_query), p_user_id);
    COMMIT;

    FOR record IN EXECUTE p_query LOOP
        chunk := pg_catalog.array_append(chunk, record);
        IF pg_catalog.cardinality(chunk) OPERATOR(pg_catalog.>=) p_batch_size
            OR pg_catalog.pg_column_size(chunk) OPERATOR(pg_catalog.>=) max_chunk_bytes
        THEN
            progress := connector_pipeline.import_chunk(chunk, p_user_id, progress);
            chunk := '{}';
            COMMIT;
        END IF;
    END LOOP;
    IF pg_catalog.cardinality(chunk) OPERATOR(pg_catalog.>) 0 THEN
        progress := connector_pipeline.import_chunk(chunk, p_user_id, progress);
    END IF;
    PERFORM connector_pipeline.finish_backfill(progress);
END
$$;

-- The parts of backfill(), which is their only caller. They hand on {started, pid, total, done, imported, skipped,
-- failed, job}, which is the job's metadata too.

-- Counts the records of a query; fails if its column is not jsonb.
CREATE FUNCTION connector_pipeline.count_records(p_query text) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    -- A comment may end the query, and a semicolon.
    subquery CONSTANT pg_catalog.text := pg_catalog.concat('(', pg_catalog.rtrim(p_query, E' \t\r\n;'), E'\n) AS records');
    found_type pg_catalog.regtype;
    total pg_catalog.int8;
BEGIN
    EXECUTE pg_catalog.concat('SELECT pg_catalog.count(*) FROM ', subquery) INTO total;
    EXECUTE pg_catalog.concat('SELECT pg_catalog.pg_typeof(record) FROM ', subquery, ' (record) LIMIT 1') INTO found_type;
    IF found_type OPERATOR(pg_catalog.<>) ALL (ARRAY['pg_catalog.jsonb', 'pg_catalog.json']::pg_catalog.regtype[]) THEN
        RAISE EXCEPTION 'p_query must return one column of type jsonb, not %', found_type
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Pass a query like SELECT to_jsonb(s) FROM staging AS s.';
    END IF;
    RETURN total;
END
$$;

CREATE FUNCTION connector_pipeline.start_backfill(p_total bigint, p_user_id uuid) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    progress jsonb := jsonb_build_object(
        'started', clock_timestamp(), 'pid', pg_backend_pid(), 'total', p_total, 'done', 0, 'imported', 0, 'skipped', 0,
        'failed', 0, 'job', NULL
    );
BEGIN
    -- Runs that were killed could not say so themselves. (As text: users write jobs too, and what they like into them.)
    UPDATE @extschema@.sync_jobs
    SET status = 'failed', error = 'stopped', completed_at = updated_at
    WHERE type = 'backfill' AND status = 'processing'
        AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid::text = metadata ->> 'pid');
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
DECLARE
    job uuid;
BEGIN
    INSERT INTO @extschema@.sync_jobs (user_id, type, status, progress_total, metadata, started_at)
    VALUES (
        p_user_id, 'backfill', 'processing', (p_progress ->> 'total')::integer, p_progress,
        (p_progress ->> 'started')::timestamptz
    )
    RETURNING id INTO job;
    IF job IS NULL THEN
        RAISE EXCEPTION 'the sync job of the backfill was not kept: the insert went through and left no row'
            USING ERRCODE = 'triggered_action_exception', HINT = 'Look for a trigger on sync_jobs that drops rows.';
    END IF;
    RETURN p_progress || jsonb_build_object('job', job);
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
    UPDATE @extschema@.sync_jobs
    SET progress_current = done, progress_total = total, skipped_count = (progress ->> 'skipped')::integer,
        metadata = progress, updated_at = clock_timestamp()
    WHERE id = (progress ->> 'job')::uuid;
    -- A trigger or a rule may have kept the row as it was. (A row that is gone was its user's to delete.)
    IF EXISTS (
        SELECT
        FROM @extschema@.sync_jobs
        WHERE id = (progress ->> 'job')::uuid
            AND progress_current = (p_progress ->> 'done')::bigint
            AND progress_current <> done
    ) THEN
        RAISE EXCEPTION 'the sync job % of the backfill takes no counts: its row stayed as it was', progress ->> 'job'
            USING ERRCODE = 'triggered_action_exception', HINT = 'Look for a trigger or a rule on sync_jobs.';
    END IF;

    RAISE NOTICE 'backfill: % of % (% %%), % a second, % left, % failed', done, total, round(100.0 * done / total),
        round(rate), make_interval(secs => round((total - done) / rate)::double precision), progress ->> 'failed';
    RETURN progress;
END
$$;

CREATE FUNCTION connector_pipeline.finish_backfill(p_progress jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE @extschema@.sync_jobs
    SET status = CASE WHEN (p_progress ->> 'failed')::bigint > 0 THEN 'completed_with_errors' ELSE 'completed' END,
        completed_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE id = (p_progress ->> 'job')::uuid;
    IF EXISTS (SELECT FROM @extschema@.sync_jobs WHERE id = (p_progress ->> 'job')::uuid AND status = 'processing') THEN
        RAISE EXCEPTION 'the sync job % of the backfill could not be finished: its row stayed as it was', p_progress ->> 'job'
            USING ERRCODE = 'triggered_action_exception', HINT = 'Look for a trigger or a rule on sync_jobs.';
    END IF;
    RAISE NOTICE 'backfill: % new, % skipped, % failed, in % s', p_progress ->> 'imported', p_progress ->> 'skipped',
        p_progress ->> 'failed',
        round(extract(epoch FROM clock_timestamp() - (p_progress ->> 'started')::timestamptz), 1);
END
$$;
