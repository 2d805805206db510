-- Imports what a query yields, in chunks, each committed. A procedure with COMMIT takes no SET clause, hence the names
-- in full; and p_query means what it means to the caller.
--
-- The loop's cursor outlives the first COMMIT by writing what is left of its result to a temporary file: memory stays
-- constant, disk does not. Dedup makes a second run go on where the first one stopped.
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
    record pg_catalog.jsonb;
    chunk pg_catalog.jsonb[] := '{}';
    progress pg_catalog.jsonb;
    total pg_catalog.int8;
BEGIN
    IF p_query IS NULL OR p_batch_size IS NULL OR p_batch_size OPERATOR(pg_catalog.<) 1 THEN
        RAISE EXCEPTION 'backfill() needs a p_query, and a p_batch_size of 1 or more'
            USING ERRCODE = 'invalid_parameter_value',
                HINT = 'CALL connector_pipeline.backfill($q$ SELECT to_jsonb(s) FROM staging AS s $q$)';
    END IF;
    EXECUTE pg_catalog.concat('SELECT pg_catalog.count(*) FROM (', p_query, ') AS records') INTO total;
    progress := connector_pipeline.start_backfill(total, p_user_id);

    FOR record IN EXECUTE p_query LOOP
        chunk := pg_catalog.array_append(chunk, record);
        IF pg_catalog.cardinality(chunk) OPERATOR(pg_catalog.>=) p_batch_size THEN
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

-- The parts of backfill(): their only caller. What they hand on is {started, total, done, imported, skipped, failed, job}.

CREATE FUNCTION connector_pipeline.start_backfill(p_total bigint, p_user_id uuid) RETURNS jsonb
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
RETURN jsonb_build_object(
    'started', clock_timestamp(), 'total', p_total, 'done', 0, 'imported', 0, 'skipped', 0, 'failed', 0, 'job', NULL
);

CREATE FUNCTION connector_pipeline.import_chunk(p_chunk jsonb[], p_user_id uuid, p_progress jsonb) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    result CONSTANT jsonb := @extschema@.run_pipeline_batch(to_jsonb(p_chunk), p_user_id);
    -- A job belongs to a user: the one given, else the owner of the first record.
    owner CONSTANT uuid := COALESCE(p_user_id, (
        SELECT owner_user_id FROM @extschema@.recordings
        WHERE id = (jsonb_path_query_first(result, '$.results[*].recordingId') #>> '{}')::uuid
    ));
    done CONSTANT bigint := (p_progress ->> 'done')::bigint + (result ->> 'total')::bigint;
    total CONSTANT bigint := greatest((p_progress ->> 'total')::bigint, done);
    seconds CONSTANT numeric := greatest(
        extract(epoch FROM clock_timestamp() - (p_progress ->> 'started')::timestamptz), 0.001
    );
    rate CONSTANT numeric := done / seconds;
    progress jsonb := p_progress || jsonb_build_object(
        'done', done,
        'total', total,
        'imported', (p_progress ->> 'imported')::bigint + (result ->> 'imported')::bigint,
        'skipped', (p_progress ->> 'skipped')::bigint + (result ->> 'skipped')::bigint,
        'failed', (p_progress ->> 'failed')::bigint + (result ->> 'failed')::bigint
    );
    job uuid := (progress ->> 'job')::uuid;
BEGIN
    IF job IS NULL AND owner IS NOT NULL THEN
        INSERT INTO @extschema@.sync_jobs (user_id, type, status, progress_total, started_at)
        VALUES (owner, 'backfill', 'processing', total, (progress ->> 'started')::timestamptz)
        RETURNING id INTO job;
        progress := progress || jsonb_build_object('job', job);
    END IF;
    UPDATE @extschema@.sync_jobs
    SET progress_current = done, progress_total = total, skipped_count = (progress ->> 'skipped')::integer,
        metadata = progress, updated_at = clock_timestamp()
    WHERE id = job;

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
    RAISE NOTICE 'backfill: % new, % skipped, % failed, in % s', p_progress ->> 'imported', p_progress ->> 'skipped',
        p_progress ->> 'failed',
        round(extract(epoch FROM clock_timestamp() - (p_progress ->> 'started')::timestamptz), 1);
END
$$;
