-- From 0.1.0 to 0.2.0: what ALTER EXTENSION connector_pipeline UPDATE runs. Made by dev/generate; don't edit it.

DROP ROUTINE connector_pipeline.finish_backfill(p_progress jsonb);

CREATE SCHEMA IF NOT EXISTS connector_pipeline;

-- The functions for recordings from before the dedup index: src/setup/find_duplicates.rs, src/setup/merge_duplicates.rs.
-- Both work on any adopted schema before bootstrap(), which refuses as long as there are duplicates.

CREATE OR REPLACE FUNCTION connector_pipeline.duplicates()
RETURNS TABLE (owner_user_id uuid, source_app text, external_id text, recording_ids uuid[], bank_ids uuid[])
LANGUAGE c
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'duplicates_wrapper';

-- Takes no SET clause: the application's triggers run with the caller's search_path.
CREATE OR REPLACE FUNCTION connector_pipeline.merge_duplicates(p_dry_run boolean DEFAULT true)
RETURNS TABLE (kept_id uuid, removed_id uuid, removed_row jsonb, entries_moved integer, entries_merged jsonb)
LANGUAGE c
AS 'MODULE_PATHNAME', 'merge_duplicates_wrapper';

CREATE OR REPLACE FUNCTION "check_duplicate"(
	"p_user_id" uuid,
	"p_source_app" TEXT,
	"p_external_id" TEXT
) RETURNS jsonb
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'check_duplicate_wrapper';

CREATE OR REPLACE FUNCTION "check_duplicates"(
	"p_user_id" uuid,
	"p_source_app" TEXT,
	"p_external_ids" TEXT[]
) RETURNS TABLE (
	"external_id" TEXT,
	"is_duplicate" bool,
	"existing_recording_id" uuid
)
STABLE
LANGUAGE c
AS 'MODULE_PATHNAME', 'check_duplicates_wrapper';

CREATE OR REPLACE FUNCTION "ensure_personal_bank"(
	"p_user_id" uuid DEFAULT NULL
) RETURNS uuid
VOLATILE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'ensure_personal_bank_wrapper';

CREATE OR REPLACE FUNCTION "get_import_counts"(
	"p_user_id" uuid DEFAULT NULL
) RETURNS TABLE (
	"source_app" TEXT,
	"call_count" bigint
)
STABLE SECURITY DEFINER
SET search_path TO pg_catalog, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'get_import_counts_wrapper';

CREATE OR REPLACE FUNCTION "insert_recording"(
	"p_record" jsonb,
	"p_user_id" uuid DEFAULT NULL
) RETURNS jsonb
VOLATILE
LANGUAGE c
AS 'MODULE_PATHNAME', 'insert_recording_wrapper';

CREATE OR REPLACE FUNCTION "retry_failed_imports"(
	"p_source_app" TEXT DEFAULT NULL,
	"p_user_id" uuid DEFAULT NULL,
	"p_limit" INT DEFAULT 100
) RETURNS jsonb
VOLATILE
LANGUAGE c
AS 'MODULE_PATHNAME', 'retry_failed_imports_wrapper';

CREATE OR REPLACE FUNCTION "run_pipeline"(
	"p_record" jsonb,
	"p_user_id" uuid DEFAULT NULL
) RETURNS jsonb
VOLATILE
LANGUAGE c
AS 'MODULE_PATHNAME', 'run_pipeline_wrapper';

CREATE OR REPLACE FUNCTION "run_pipeline_batch"(
	"p_records" jsonb,
	"p_user_id" uuid DEFAULT NULL,
	"p_sync_job_id" uuid DEFAULT NULL,
	"p_dry_run" bool DEFAULT false
) RETURNS jsonb
VOLATILE
LANGUAGE c
AS 'MODULE_PATHNAME', 'run_pipeline_batch_wrapper';

CREATE OR REPLACE FUNCTION connector_pipeline."bootstrap"() RETURNS TABLE (
	"object" TEXT,
	"action" TEXT
)
STRICT VOLATILE
SET search_path TO pg_catalog, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'bootstrap_wrapper';

CREATE OR REPLACE FUNCTION connector_pipeline."bootstrap_auth"() RETURNS TABLE (
	"object" TEXT,
	"action" TEXT
)
STRICT VOLATILE
SET search_path TO pg_catalog, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'bootstrap_auth_wrapper';

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
CREATE OR REPLACE PROCEDURE connector_pipeline.backfill(
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
CREATE OR REPLACE FUNCTION connector_pipeline.subquery_of(p_query text) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT concat('(', rtrim(p_query, E' \t\r\n;'), E'\n)') $$;

-- The type of the query's first column. LIMIT 0: no row is asked for.
CREATE OR REPLACE FUNCTION connector_pipeline.type_of(p_query text) RETURNS regtype
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
CREATE OR REPLACE FUNCTION connector_pipeline.cursor_of(p_query text, p_name text) RETURNS text
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
CREATE OR REPLACE FUNCTION connector_pipeline.record_of(p_json json) RETURNS jsonb
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
CREATE OR REPLACE FUNCTION connector_pipeline.count_records(p_query text) RETURNS bigint
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

CREATE OR REPLACE FUNCTION connector_pipeline.start_backfill(p_total bigint, p_user_id uuid) RETURNS jsonb
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
CREATE OR REPLACE FUNCTION connector_pipeline.open_backfill_job(p_user_id uuid, p_progress jsonb) RETURNS jsonb
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
CREATE OR REPLACE FUNCTION connector_pipeline.import_chunk(p_chunk jsonb[], p_user_id uuid, p_progress jsonb) RETURNS jsonb
LANGUAGE plpgsql
AS $$
BEGIN
    RETURN connector_pipeline.count_chunk(
        p_chunk[1], @extschema@.run_pipeline_batch(pg_catalog.to_jsonb(p_chunk), p_user_id), p_progress
    );
END
$$;

CREATE OR REPLACE FUNCTION connector_pipeline.count_chunk(p_first_record jsonb, p_result jsonb, p_progress jsonb) RETURNS jsonb
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
CREATE OR REPLACE FUNCTION connector_pipeline.finish_backfill(p_progress jsonb, p_error text) RETURNS void
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

-- Opens and closes the sync job of a connector's run. Row-level security decides whose jobs a caller may write.
-- Names are qualified instead of a SET clause, so that an application's triggers run with the caller's search_path.
--
-- An adopted table may have columns of any name: variables win over columns of the same name, and columns are qualified.

CREATE OR REPLACE FUNCTION @extschema@.start_sync_job(
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

CREATE OR REPLACE FUNCTION @extschema@.finish_sync_job(p_sync_job_id uuid, p_error text DEFAULT NULL) RETURNS jsonb
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



-- Describes each function for \df+ and PostgREST's OpenAPI. First line: at most 70 characters.

COMMENT ON SCHEMA connector_pipeline IS 'Administration of the extension connector_pipeline';

COMMENT ON FUNCTION @extschema@.run_pipeline(jsonb, uuid) IS
'Imports one connector record, or skips a duplicate.
A record is a duplicate if a recording has its owner, source and external_id. Otherwise the record is checked, and its recording and vault entry are inserted.
p_record: a connector record, a JSON object. p_user_id: the owner; if NULL, the record''s owner_user_id, else the JWT''s subject.
Returns {"success": true, "recordingId"}, or {"success": false, "skipped": true, "recordingId"} for a duplicate, or {"success": false, "error", "code"} with a SQLSTATE; also "warning" if the vault entry could not be created, and "ignoredFields" for unknown keys.
Raises only errors that are not about the record: cancel and timeouts, shutdown, serialization failures and deadlocks, exhausted resources, internal errors.';

COMMENT ON FUNCTION @extschema@.insert_recording(jsonb, uuid) IS
'Imports one connector record, or raises an error.
p_record, p_user_id: as for run_pipeline(). Returns {"id"}.
Raises 23505 for a duplicate, 22023 for an invalid record, 42501 for the bank or the records of another user, and any error of the INSERT.';

COMMENT ON FUNCTION @extschema@.check_duplicate(uuid, text, text) IS
'Checks whether an external id is imported already.
p_user_id: the owner; if NULL, the JWT''s subject. p_source_app, p_external_id: exactly as imported.
Returns {"isDuplicate": true, "existingRecordingId"} with the id of the oldest recording that the caller may see, or {"isDuplicate": false}. If the look-up fails: false, with a WARNING; the dedup index still guards the import.
Raises 22004 if p_source_app or p_external_id is NULL.';

COMMENT ON FUNCTION @extschema@.check_duplicates(uuid, text, text[]) IS
'Checks which external ids are imported already.
p_user_id: the owner; if NULL, the JWT''s subject. p_source_app: exactly as imported. p_external_ids: the ids to check.
Returns one row for each id, in the same order, with the oldest recording that the caller may see. If the look-up fails: no duplicates, with a WARNING.
Raises 22004 if p_source_app or p_external_ids is NULL.';

COMMENT ON FUNCTION @extschema@.get_import_counts(uuid) IS
'Counts the recordings that a user has from each source.
p_user_id: the user; if NULL, the JWT''s subject.
Raises 42501 unless the caller is that user, a superuser, a role with BYPASSRLS or the owner of recordings.';

COMMENT ON FUNCTION @extschema@.ensure_personal_bank(uuid) IS
'Returns the id of a user''s personal bank; creates a missing one.
Creates the bank with its vault and the memberships, and only once under concurrent calls.
p_user_id: the user; if NULL, the JWT''s subject.
Raises 42501 if the caller may not act for the user, 23503 if the user does not exist.';

COMMENT ON FUNCTION connector_pipeline.bootstrap() IS
'Creates the tables of the pipeline, or adopts existing ones.
The tables are in the extension''s schema. To an existing table only missing columns and unique indexes that the pipeline needs are added. Idempotent.
Returns each object with an action: created, exists, narrowed (privileges that an earlier version granted), or left to its owner (a policy of an existing table).
Raises 55000 if auth.users, auth.uid() or one of the API''s roles is missing (see bootstrap_auth()), and if existing objects are not compatible: DETAIL lists them all, HINT has the SQL to run, and nothing is changed.';

COMMENT ON FUNCTION connector_pipeline.bootstrap_auth() IS
'Creates the schema auth and the API''s roles, on plain PostgreSQL only.
As on Supabase, the schema has users and uid(), and the roles are anon, authenticated and service_role. Returns each object with an action.
Raises 42P06 if the schema auth exists.';

COMMENT ON FUNCTION @extschema@.run_pipeline_batch(jsonb, uuid, uuid, boolean) IS
'Imports many connector records, each as run_pipeline() does.
A record that fails does not affect the others, and is kept in import_failures.
p_records: an array of connector records. p_user_id: the owner of all records; if NULL, each record''s owner_user_id, else the JWT''s subject. p_sync_job_id: the sync job to add the counts to. p_dry_run: true to get the result without changing anything.
Returns {"total", "imported", "skipped", "failed", "results": [...]}; each result is that of run_pipeline() with "index" (from 0) and "externalId", in the order of the records.
Raises 22023 if p_records is not an array or the sync job does not exist, 22004 if p_records or p_dry_run is NULL, and the errors that run_pipeline() raises.';

COMMENT ON FUNCTION @extschema@.start_sync_job(text, text[], uuid) IS
'Opens a sync job.
p_source_app: the source. p_external_ids: the ids that the connector intends to import. p_user_id: the user; if NULL, the JWT''s subject.
Returns the id of the job, for run_pipeline_batch() and finish_sync_job().
Raises 22004 if p_source_app is NULL, 22023 if it is blank or there is no user, 42501 for the job of another user.';

COMMENT ON FUNCTION @extschema@.finish_sync_job(uuid, text) IS
'Closes a sync job, and updates the import source of its user.
Sets last_sync_at and error_message of the import source.
p_sync_job_id: the job. p_error: the error that ended the run, if any.
Returns {"status": "completed" | "completed_with_errors" | "failed", "imported", "skipped", "failed", "message"}, the message like "8 new, 3 skipped, 1 failed".
Raises 22023 if the caller has no such sync job.';

COMMENT ON FUNCTION @extschema@.retry_failed_imports(text, uuid, integer) IS
'Imports failed records again, from import_failures.
Failures whose recording then exists are deleted.
p_source_app: only this source; if NULL, all. p_user_id: the user; if NULL, the JWT''s subject. p_limit: the maximum number of failures, those tried longest ago first.
Returns a batch result, as run_pipeline_batch() does. Raises 22023 without a user or if p_limit is below 1, 22004 if p_limit is NULL.';

COMMENT ON PROCEDURE connector_pipeline.backfill(text, uuid, integer) IS
'Imports the records that a query returns, and commits each chunk.
Reports progress by NOTICE and in sync_jobs. After an interruption, call it again: duplicates are skipped.
p_query: SQL that returns one jsonb column, a connector record per row. p_user_id: the owner of all records; if NULL, each record''s owner_user_id. p_batch_size: records per chunk, 1 or more.
Must not be called inside a transaction block.';

COMMENT ON FUNCTION connector_pipeline.subquery_of(text) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.type_of(text) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.cursor_of(text, text) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.record_of(json) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.count_records(text) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.start_backfill(bigint, uuid) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.open_backfill_job(uuid, jsonb) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.import_chunk(jsonb[], uuid, jsonb) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.count_chunk(jsonb, jsonb, jsonb) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.finish_backfill(jsonb, text) IS 'A part of backfill()';

COMMENT ON FUNCTION connector_pipeline.duplicates() IS
'Lists the keys (owner, source, external id) of several recordings.
Such recordings are older than the dedup index. recording_ids: the oldest first (one without created_at counts as the newest), which check_duplicate() returns and merge_duplicates() keeps. bank_ids: the bank of each.
Raises 42501 if policies may hide rows from the caller, 55000 if an id is missing or not a uuid.';

COMMENT ON FUNCTION connector_pipeline.merge_duplicates(boolean) IS
'Keeps the oldest recording of each key, and deletes its duplicates.
Moves the duplicates'' vault entries, and all rows that reference the duplicates by a foreign key, to the recording that is kept. Of several entries in one vault one is kept, with the tags and notes of all. All or nothing.
p_dry_run: true to get the result without changing anything; false to merge.
Returns a row for each deleted recording: kept_id, removed_id, removed_row (as before), entries_moved (a count), entries_merged (the entries that were merged into another entry of their vault, as before). A duplicate vault entry of one recording has a row without removed_id.
Locks recordings and vault_entries against writes (EXCLUSIVE), also in a dry run.
Raises 22004 if p_dry_run is NULL; 55000 if duplicates are in different banks (or one is in none) or in a vault of another bank, if the oldest recording of a key references a newer one, or if an id is missing or not a uuid; 23505 if rows that reference duplicates can''t reference one recording; 42501 if policies may hide rows from the caller; 09000 if a trigger or a rule prevents a delete or a move, or deletes rows that are to be kept. Then nothing is changed.';

-- Skipped due to `#[pgrx(sql = false)]`

-- Skipped due to `#[pgrx(sql = false)]`

-- Grants EXECUTE on the extension's functions, and nothing to PUBLIC and anon.
--
-- authenticated and service_role may call the functions of the extension's schema. The owner of the database may call
-- all functions, for migrations and backfills: on Supabase a superuser installs the extension and so owns them. Runs at
-- the end of CREATE EXTENSION, and again in bootstrap_auth(), which creates missing roles.
--
-- First revokes what new functions have by default: EXECUTE for PUBLIC, and on Supabase, by default privileges, for its
-- three roles. Loops over the members of the extension, so that no function can be forgotten.
DO $$
DECLARE
    administration CONSTANT pg_catalog.text := 'connector_pipeline';
    api_roles CONSTANT pg_catalog.text := (
        SELECT pg_catalog.string_agg(pg_catalog.quote_ident(rolname::pg_catalog.text), ', ')
        FROM pg_catalog.pg_roles
        WHERE rolname OPERATOR(pg_catalog.=) ANY (ARRAY['authenticated', 'service_role']::pg_catalog.name[])
    );
    strangers CONSTANT pg_catalog.text := pg_catalog.concat_ws(', ', 'PUBLIC', api_roles, (
        SELECT 'anon' FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) 'anon'
    ));
    member pg_catalog.record;
BEGIN
    FOR member IN
        SELECT
            proc.oid::pg_catalog.regprocedure AS signature,
            namespace.nspname OPERATOR(pg_catalog.=) administration AS is_administration,
            pg_catalog.pg_has_role(proc.proowner, 'USAGE') AS is_ours
        FROM pg_catalog.pg_extension AS extension
        JOIN pg_catalog.pg_depend AS depend
            ON depend.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
            AND depend.refobjid OPERATOR(pg_catalog.=) extension.oid
            AND depend.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
        JOIN pg_catalog.pg_proc AS proc ON proc.oid OPERATOR(pg_catalog.=) depend.objid
        JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid OPERATOR(pg_catalog.=) proc.pronamespace
        WHERE extension.extname OPERATOR(pg_catalog.=) 'connector_pipeline'
    LOOP
        IF member.is_ours THEN
            EXECUTE pg_catalog.format('REVOKE ALL ON ROUTINE %s FROM %s', member.signature, strangers);
            -- With GRANT OPTION, so that bootstrap_auth() can grant to the roles that it creates.
            EXECUTE pg_catalog.format(
                'GRANT EXECUTE ON ROUTINE %s TO pg_database_owner WITH GRANT OPTION', member.signature
            );
        END IF;
        IF NOT member.is_administration AND api_roles IS NOT NULL THEN
            EXECUTE pg_catalog.format('GRANT EXECUTE ON ROUTINE %s TO %s', member.signature, api_roles);
        END IF;
    END LOOP;

    IF pg_catalog.pg_has_role(
        (SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname OPERATOR(pg_catalog.=) administration), 'USAGE'
    ) THEN
        GRANT USAGE ON SCHEMA connector_pipeline TO pg_database_owner;
    END IF;
    IF api_roles IS NOT NULL THEN
        -- concat() instead of format(): the schema's name may contain a %.
        EXECUTE pg_catalog.concat('GRANT USAGE ON SCHEMA @extschema@ TO ', api_roles);
        -- Deletes the schema's initial privileges, which pg_dump omits: a restored schema would lack them.
        -- A GRANT within CREATE EXTENSION makes initial privileges of all privileges on the schema, even of older ones.
        IF EXISTS (
            SELECT
            FROM pg_catalog.pg_init_privs
            WHERE classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
                AND objoid OPERATOR(pg_catalog.=) '@extschema@'::pg_catalog.regnamespace
                AND privtype OPERATOR(pg_catalog.=) 'e'
        ) THEN
            DELETE FROM pg_catalog.pg_init_privs
            WHERE classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
                AND objoid OPERATOR(pg_catalog.=) '@extschema@'::pg_catalog.regnamespace
                AND privtype OPERATOR(pg_catalog.=) 'e';
        END IF;
    END IF;
END
$$;
