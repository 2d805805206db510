-- From 0.1.0 to 0.2.0: what ALTER EXTENSION connector_pipeline UPDATE runs. Made by dev/generate; don't edit it.

CREATE SCHEMA IF NOT EXISTS connector_pipeline;

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
-- The loop's cursor outlives the first COMMIT by writing the whole rest of its result to a temporary file: memory stays
-- constant, disk does not, and a query that fails at a late row fails at the first COMMIT. Called again, it starts from
-- the first row, and dedup skips what is in.
--
-- The sync job shows how far it is to other sessions. It gets counts, not ids: lists of millions would be written anew
-- with each chunk. What failed is in import_failures.
CREATE OR REPLACE PROCEDURE connector_pipeline.backfill(
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
CREATE OR REPLACE FUNCTION connector_pipeline.count_records(p_query text) RETURNS bigint
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

CREATE OR REPLACE FUNCTION connector_pipeline.start_backfill(p_total bigint, p_user_id uuid) RETURNS jsonb
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
CREATE OR REPLACE FUNCTION connector_pipeline.open_backfill_job(p_user_id uuid, p_progress jsonb) RETURNS jsonb
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
    RETURN p_progress || jsonb_build_object('job', job);
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

    RAISE NOTICE 'backfill: % of % (% %%), % a second, % left, % failed', done, total, round(100.0 * done / total),
        round(rate), make_interval(secs => round((total - done) / rate)::double precision), progress ->> 'failed';
    RETURN progress;
END
$$;

CREATE OR REPLACE FUNCTION connector_pipeline.finish_backfill(p_progress jsonb) RETURNS void
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

-- Recordings that were imported more than once, from before the dedup index: found, and merged into the oldest of each
-- key. Both work on any adopted schema before bootstrap(), which refuses as long as there are duplicates.

CREATE OR REPLACE FUNCTION connector_pipeline.duplicates()
RETURNS TABLE (owner_user_id uuid, source_app text, external_id text, recording_ids uuid[], bank_ids uuid[])
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM connector_pipeline.must_see_all_rows('@extschema@.recordings');
    -- A key with a NULL in it is none: the dedup index lets any number of those in. The order is that of
    -- check_duplicate(), also for rows without created_at: they come last, as if newest.
    RETURN QUERY
    SELECT
        key.owner_user_id,
        key.source_app,
        key.external_id,
        array_agg(key.id ORDER BY key.created_at, key.id),
        array_agg(key.bank_id ORDER BY key.created_at, key.id)
    FROM (
        SELECT
            recording.id,
            recording.bank_id,
            recording.created_at,
            recording.owner_user_id,
            recording.source_app::text AS source_app,
            recording.source_metadata ->> 'external_id' AS external_id
        FROM @extschema@.recordings AS recording
    ) AS key
    WHERE key.owner_user_id IS NOT NULL AND key.source_app IS NOT NULL AND key.external_id IS NOT NULL
    GROUP BY key.owner_user_id, key.source_app, key.external_id
    HAVING count(*) > 1
    ORDER BY key.owner_user_id, key.source_app, key.external_id;
END
$$;

-- Takes no SET clause, hence the names in full: the application's triggers run with the caller's search_path.
CREATE OR REPLACE FUNCTION connector_pipeline.merge_duplicates(p_dry_run boolean DEFAULT true)
RETURNS TABLE (kept_id uuid, removed_id uuid, removed_row jsonb, entries_moved integer, entries_merged jsonb)
LANGUAGE plpgsql
AS $$
DECLARE
    plan pg_catalog.record;
    staying_entry_ids pg_catalog.uuid[];
BEGIN
    IF p_dry_run IS NULL THEN
        RAISE EXCEPTION 'p_dry_run is NULL'
            USING ERRCODE = 'null_value_not_allowed', HINT = 'Pass true to learn what would be done, false to do it.';
    END IF;
    PERFORM connector_pipeline.must_have_ids();
    BEGIN
        -- Reading goes on. Writing waits, and so does what would refer to a recording or an entry: a row that referred
        -- to a duplicate after the others have been moved would be lost with it, where its foreign key cascades.
        LOCK TABLE @extschema@.recordings, @extschema@.vault_entries IN EXCLUSIVE MODE;
        SELECT * INTO plan FROM connector_pipeline.plan_merge();
        RETURN QUERY SELECT * FROM connector_pipeline.report_merge(plan.removed_ids, plan.kept_ids, plan.merged_ids);
        staying_entry_ids := plan.merged_into_ids OPERATOR(pg_catalog.||) ARRAY(
            SELECT entry.id
            FROM @extschema@.vault_entries AS entry
            WHERE entry.recording_id OPERATOR(pg_catalog.=) ANY (plan.removed_ids OPERATOR(pg_catalog.||) plan.kept_ids)
                AND entry.id OPERATOR(pg_catalog.<>) ALL (plan.merged_ids)
        );

        -- All is moved before anything is deleted: a trigger of the application's may delete a recording with its last
        -- entry, and with it what refers to it.
        PERFORM connector_pipeline.merge_local_data(plan.merged_ids, plan.merged_into_ids);
        PERFORM connector_pipeline.move_references(
            '@extschema@.vault_entries', plan.merged_ids, plan.merged_into_ids, plan.merged_ids
        );
        PERFORM connector_pipeline.move_references(
            '@extschema@.recordings', plan.removed_ids, plan.kept_ids, plan.merged_ids
        );
        -- Where no foreign key says that entries refer to recordings.
        UPDATE @extschema@.vault_entries AS entry
        SET recording_id = pair.kept_id
        FROM ROWS FROM (pg_catalog.unnest(plan.removed_ids), pg_catalog.unnest(plan.kept_ids))
            AS pair (removed_id, kept_id)
        WHERE entry.recording_id OPERATOR(pg_catalog.=) pair.removed_id
            AND entry.id OPERATOR(pg_catalog.<>) ALL (plan.merged_ids);

        DELETE FROM @extschema@.vault_entries AS entry
        WHERE entry.id OPERATOR(pg_catalog.=) ANY (plan.merged_ids);
        -- Before their recordings go, and take them along.
        PERFORM connector_pipeline.must_be_gone('@extschema@.vault_entries', ARRAY(
            SELECT entry.id
            FROM @extschema@.vault_entries AS entry
            WHERE entry.id OPERATOR(pg_catalog.=) ANY (plan.merged_ids)
                OR entry.recording_id OPERATOR(pg_catalog.=) ANY (plan.removed_ids)
        ));
        DELETE FROM @extschema@.recordings AS recording
        WHERE recording.id OPERATOR(pg_catalog.=) ANY (plan.removed_ids);
        PERFORM connector_pipeline.must_be_gone('@extschema@.recordings', ARRAY(
            SELECT recording.id
            FROM @extschema@.recordings AS recording
            WHERE recording.id OPERATOR(pg_catalog.=) ANY (plan.removed_ids)
        ));
        PERFORM connector_pipeline.must_be_there('@extschema@.recordings', plan.kept_ids);
        PERFORM connector_pipeline.must_be_there('@extschema@.vault_entries', staying_entry_ids);

        -- What was returned stays, what was done goes, with its locks.
        IF p_dry_run THEN
            RAISE EXCEPTION USING ERRCODE = 'CPDRY', MESSAGE = 'dry run';
        END IF;
    EXCEPTION WHEN SQLSTATE 'CPDRY' THEN
        NULL;
    END;
END
$$;

-- The parts of merge_duplicates(), which is their only caller. Pairs of ids are two arrays of the same length.

-- Before bootstrap(), which would ask for them, an application's tables may have other ids, or none.
CREATE OR REPLACE FUNCTION connector_pipeline.must_have_ids() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unfit text;
BEGIN
    SELECT string_agg(
        format(
            '%s.%s is %s', needed.table_name, needed.column_name,
            coalesce(format_type(attribute.atttypid, attribute.atttypmod), 'not there')
        ),
        E'\n' ORDER BY needed.table_name, needed.column_name
    )
    INTO unfit
    FROM (
        VALUES
            ('recordings', 'id'), ('recordings', 'bank_id'), ('recordings', 'owner_user_id'),
            ('vault_entries', 'id'), ('vault_entries', 'vault_id'), ('vault_entries', 'recording_id'),
            ('vaults', 'id'), ('vaults', 'bank_id')
    ) AS needed (table_name, column_name)
    LEFT JOIN pg_attribute AS attribute
        ON attribute.attrelid = to_regclass('@extschema@.' || needed.table_name)
        AND attribute.attname = needed.column_name
        AND NOT attribute.attisdropped
    WHERE attribute.atttypid IS DISTINCT FROM 'uuid'::regtype;

    IF unfit IS NOT NULL THEN
        RAISE EXCEPTION 'columns that merging needs are not there, or are not uuid; nothing has been changed'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                DETAIL = unfit,
                HINT = 'connector_pipeline.bootstrap() tells what to do about each.';
    END IF;
END
$$;

-- Rows that a policy hides would be left out, and then be lost.
CREATE OR REPLACE FUNCTION connector_pipeline.must_see_all_rows(p_table regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF row_security_active(p_table) THEN
        RAISE EXCEPTION 'row-level security may hide rows of % from %', p_table, current_user
            USING ERRCODE = 'insufficient_privilege',
                HINT = format(
                    'Call as its owner, or as a role with BYPASSRLS. If you are its owner: ALTER TABLE %s NO FORCE ROW LEVEL SECURITY;',
                    p_table
                );
    END IF;
END
$$;

-- A trigger of the application's may keep what was to go.
CREATE OR REPLACE FUNCTION connector_pipeline.must_be_gone(p_table regclass, p_left_ids uuid[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF cardinality(p_left_ids) > 0 THEN
        RAISE EXCEPTION '% rows of % could not be merged; nothing has been changed', cardinality(p_left_ids), p_table
            USING ERRCODE = 'triggered_action_exception',
                DETAIL = format('The first is %s.', p_left_ids[1]),
                HINT = format('Look for a trigger on %s that returns NULL.', p_table);
    END IF;
END
$$;

-- A trigger of the application's may take along what was to stay, or what is still referred to.
CREATE OR REPLACE FUNCTION connector_pipeline.must_be_there(p_table regclass, p_ids uuid[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lost_ids uuid[];
BEGIN
    EXECUTE format(
        'SELECT array_agg(DISTINCT given.id)
        FROM unnest($1) AS given (id)
        WHERE NOT EXISTS (SELECT FROM %s AS there WHERE there.id = given.id)',
        p_table
    )
    INTO lost_ids
    USING p_ids;
    IF cardinality(lost_ids) > 0 THEN
        RAISE EXCEPTION '% rows of % would be lost; nothing has been changed', cardinality(lost_ids), p_table
            USING ERRCODE = 'triggered_action_exception',
                DETAIL = format('The first is %s.', lost_ids[1]),
                HINT = format('Look for a trigger that deletes rows of %s when others are changed or deleted.', p_table);
    END IF;
END
$$;

-- A trigger or a rule of the application's may keep rows as they are. p_part: the partition in which one lies, or the
-- table itself.
CREATE OR REPLACE FUNCTION connector_pipeline.must_be_moved(p_table regclass, p_left bigint, p_first_left text, p_part regclass)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_left > 0 THEN
        RAISE EXCEPTION '% rows of % go on referring to duplicates; nothing has been changed', p_left, p_table
            USING ERRCODE = 'triggered_action_exception',
                DETAIL = format('The first is %s.', left(p_first_left, 200)),
                HINT = format('Look for what keeps rows of %s from being updated%s.', p_table, (
                    SELECT ': ' || string_agg(suspect.name, ', ' ORDER BY suspect.name)
                    FROM (
                        SELECT 'trigger ' || quote_ident(tgname)
                        FROM pg_trigger
                        -- 16: that fires on UPDATE.
                        WHERE tgrelid IN (p_table, p_part) AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 16 <> 0
                        UNION
                        SELECT 'rule ' || quote_ident(rulename)
                        FROM pg_rewrite
                        WHERE ev_class = p_table AND ev_type = '2'
                    ) AS suspect (name)
                ));
    END IF;
END
$$;

-- Which recordings go and which of the same key stay; and which vault entries go into which, as a vault keeps one for a
-- recording. (Also where an entry is there twice, for a table that has come without its unique key.)
CREATE OR REPLACE FUNCTION connector_pipeline.plan_merge(
    OUT removed_ids uuid[],
    OUT kept_ids uuid[],
    OUT merged_ids uuid[],
    OUT merged_into_ids uuid[]
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    across_banks text;
BEGIN
    PERFORM connector_pipeline.must_see_all_rows('@extschema@.vault_entries');
    PERFORM connector_pipeline.must_see_all_rows('@extschema@.vaults');

    SELECT
        array_agg(copy.id ORDER BY key.position, copy.age) FILTER (WHERE copy.age > 1),
        array_agg(key.recording_ids[1] ORDER BY key.position, copy.age) FILTER (WHERE copy.age > 1),
        string_agg(
            format(
                'external_id %s of %s, owner %s: recordings %s', key.external_id, key.source_app, key.owner_user_id,
                array_to_string(key.recording_ids, ', ')
            ),
            E'\n' ORDER BY key.position
        ) FILTER (
            -- In no bank is not in the same: its members would no longer see it.
            WHERE copy.age = 1 AND EXISTS (
                SELECT FROM unnest(key.bank_ids) AS bank_id WHERE bank_id IS DISTINCT FROM key.bank_ids[1]
            )
        )
    INTO removed_ids, kept_ids, across_banks
    FROM connector_pipeline.duplicates() WITH ORDINALITY
        AS key (owner_user_id, source_app, external_id, recording_ids, bank_ids, position)
    CROSS JOIN LATERAL unnest(key.recording_ids) WITH ORDINALITY AS copy (id, age);
    removed_ids := coalesce(removed_ids, '{}');
    kept_ids := coalesce(kept_ids, '{}');

    -- The members of a bank would lose a recording to another bank, or a vault would hold what is not of its bank.
    IF across_banks IS NOT NULL THEN
        RAISE EXCEPTION 'duplicates lie in different banks, and nothing crosses banks; nothing has been changed'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                DETAIL = left(across_banks, 2000),
                HINT = 'Decide for each which bank has it: delete the other recording, or give both the same bank_id, and their vault entries vaults of that bank.';
    END IF;

    SELECT string_agg(
        format('vault entry %s of recording %s', entry.id, entry.recording_id), E'\n' ORDER BY pair.position, entry.id
    )
    INTO across_banks
    FROM unnest(removed_ids, kept_ids) WITH ORDINALITY AS pair (removed_id, kept_id, position)
    JOIN @extschema@.recordings AS kept ON kept.id = pair.kept_id
    JOIN @extschema@.vault_entries AS entry ON entry.recording_id = pair.removed_id
    JOIN @extschema@.vaults AS vault ON vault.id = entry.vault_id
    WHERE vault.bank_id IS DISTINCT FROM kept.bank_id;
    IF across_banks IS NOT NULL THEN
        RAISE EXCEPTION 'duplicates are in vaults of other banks, and nothing crosses banks; nothing has been changed'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                DETAIL = left(across_banks, 2000),
                HINT = 'Delete each of these vault entries, or give it a vault of its recording''s bank, and merge again.';
    END IF;

    SELECT
        coalesce(array_agg(entry.id ORDER BY entry.position), '{}'),
        coalesce(array_agg(entry.first_id ORDER BY entry.position), '{}')
    INTO merged_ids, merged_into_ids
    FROM (
        SELECT
            entry.id,
            pair.position,
            first_value(entry.id) OVER (
                PARTITION BY entry.vault_id, coalesce(pair.kept_id, entry.recording_id)
                -- That of the recording that is kept, else of the next oldest.
                ORDER BY pair.position NULLS FIRST, entry.id
            ) AS first_id
        FROM @extschema@.vault_entries AS entry
        LEFT JOIN unnest(removed_ids, kept_ids) WITH ORDINALITY AS pair (removed_id, kept_id, position)
            ON pair.removed_id = entry.recording_id
    ) AS entry
    WHERE entry.id <> entry.first_id;
END
$$;

-- What goes, as it is now: a row for each recording, and one without a removed recording where only entries are merged.
CREATE OR REPLACE FUNCTION connector_pipeline.report_merge(p_removed_ids uuid[], p_kept_ids uuid[], p_merged_ids uuid[])
RETURNS TABLE (kept_id uuid, removed_id uuid, removed_row jsonb, entries_moved integer, entries_merged jsonb)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    WITH pair AS (
        SELECT given.removed_id, given.kept_id, given.position
        FROM unnest(p_removed_ids, p_kept_ids) WITH ORDINALITY AS given (removed_id, kept_id, position)
    ),
    merged AS (
        SELECT entry.recording_id, jsonb_agg(to_jsonb(entry) ORDER BY entry.id) AS entries, count(*) AS number
        FROM unnest(p_merged_ids) AS given (id)
        JOIN @extschema@.vault_entries AS entry ON entry.id = given.id
        GROUP BY entry.recording_id
    ),
    had AS (
        SELECT entry.recording_id, count(*) AS number
        FROM pair
        JOIN @extschema@.vault_entries AS entry ON entry.recording_id = pair.removed_id
        GROUP BY entry.recording_id
    )
    SELECT
        coalesce(pair.kept_id, merged.recording_id),
        pair.removed_id,
        to_jsonb(recording),
        (coalesce(had.number, 0) - CASE WHEN pair.removed_id IS NULL THEN 0 ELSE coalesce(merged.number, 0) END)::integer,
        coalesce(merged.entries, '[]')
    FROM pair
    LEFT JOIN @extschema@.recordings AS recording ON recording.id = pair.removed_id
    LEFT JOIN had ON had.recording_id = pair.removed_id
    FULL JOIN merged ON merged.recording_id = pair.removed_id
    ORDER BY pair.position, merged.recording_id;
END
$$;

-- Gives the entries that are kept the tags and notes of those that are merged into them, each tag and each note once, as
-- far as the table has such columns: a statement is planned when it is reached.
CREATE OR REPLACE FUNCTION connector_pipeline.merge_local_data(p_merged_ids uuid[], p_kept_ids uuid[]) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    columns CONSTANT pg_catalog.text[] := ARRAY(
        SELECT attribute.attname::pg_catalog.text
        FROM pg_catalog.pg_attribute AS attribute
        WHERE attribute.attrelid OPERATOR(pg_catalog.=) '@extschema@.vault_entries'::pg_catalog.regclass
            AND NOT attribute.attisdropped
            AND CASE
                WHEN attribute.attname OPERATOR(pg_catalog.=) 'local_tags' THEN
                    attribute.atttypid OPERATOR(pg_catalog.=) ANY (
                        ARRAY['pg_catalog.text[]', 'pg_catalog.varchar[]']::pg_catalog.regtype[]
                    )
                WHEN attribute.attname OPERATOR(pg_catalog.=) 'notes' THEN
                    attribute.atttypid OPERATOR(pg_catalog.=) ANY (
                        ARRAY['pg_catalog.text', 'pg_catalog.varchar']::pg_catalog.regtype[]
                    )
            END
    );
BEGIN
    IF 'local_tags' OPERATOR(pg_catalog.=) ANY (columns) THEN
        UPDATE @extschema@.vault_entries AS kept
        SET local_tags = COALESCE(kept.local_tags, '{}') OPERATOR(pg_catalog.||) ARRAY(
            SELECT tag.name
            FROM pg_catalog.unnest(merged.tags) WITH ORDINALITY AS tag (name, position)
            -- Not <> ALL, which is NULL where one of the tags is.
            WHERE tag.name IS NOT NULL AND (tag.name OPERATOR(pg_catalog.=) ANY (kept.local_tags)) IS NOT TRUE
            GROUP BY tag.name
            ORDER BY pg_catalog.min(tag.position)
        )
        FROM (
            SELECT pair.kept_id, pg_catalog.array_agg(tag.name ORDER BY pair.position, tag.position) AS tags
            FROM ROWS FROM (pg_catalog.unnest(p_merged_ids), pg_catalog.unnest(p_kept_ids))
                WITH ORDINALITY AS pair (merged_id, kept_id, position)
            JOIN @extschema@.vault_entries AS entry ON entry.id OPERATOR(pg_catalog.=) pair.merged_id
            CROSS JOIN LATERAL pg_catalog.unnest(entry.local_tags) WITH ORDINALITY AS tag (name, position)
            GROUP BY pair.kept_id
        ) AS merged
        WHERE kept.id OPERATOR(pg_catalog.=) merged.kept_id;
    END IF;
    IF 'notes' OPERATOR(pg_catalog.=) ANY (columns) THEN
        UPDATE @extschema@.vault_entries AS kept
        SET notes = pg_catalog.concat_ws(
            E'\n\n', CASE WHEN kept.notes OPERATOR(pg_catalog.<>) '' THEN kept.notes END, merged.notes
        )
        FROM (
            SELECT note.kept_id, pg_catalog.string_agg(note.content, E'\n\n' ORDER BY note.position) AS notes
            FROM (
                SELECT pair.kept_id, entry.notes AS content, pg_catalog.min(pair.position) AS position
                FROM ROWS FROM (pg_catalog.unnest(p_merged_ids), pg_catalog.unnest(p_kept_ids))
                    WITH ORDINALITY AS pair (merged_id, kept_id, position)
                JOIN @extschema@.vault_entries AS entry ON entry.id OPERATOR(pg_catalog.=) pair.merged_id
                JOIN @extschema@.vault_entries AS kept ON kept.id OPERATOR(pg_catalog.=) pair.kept_id
                WHERE entry.notes OPERATOR(pg_catalog.<>) ''
                    AND (entry.notes OPERATOR(pg_catalog.=) kept.notes) IS NOT TRUE
                GROUP BY pair.kept_id, entry.notes
            ) AS note
            GROUP BY note.kept_id
        ) AS merged
        WHERE kept.id OPERATOR(pg_catalog.=) merged.kept_id;
    END IF;
END
$$;

-- Lets all rows that refer to one id of a table by a foreign key refer to another; but not the rows that go themselves,
-- which a unique key may keep from it.
CREATE OR REPLACE FUNCTION connector_pipeline.move_references(
    p_table regclass,
    p_from_ids uuid[],
    p_to_ids uuid[],
    p_merged_entry_ids uuid[]
)
RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    reference pg_catalog.record;
    referring_rows pg_catalog.text;
    going_ids pg_catalog.uuid[];
    rows_found pg_catalog.record;
    detail pg_catalog.text;
BEGIN
    FOR reference IN
        SELECT
            foreign_key.conrelid::pg_catalog.regclass AS referrer,
            pg_catalog.string_agg(pg_catalog.quote_ident(referring.attname), ', ') AS columns,
            -- The columns of the row referred to, of which the id need be none.
            pg_catalog.string_agg(
                pg_catalog.format('%I = kept.%I', referring.attname, referred.attname), ', '
            ) AS changes,
            pg_catalog.string_agg(
                pg_catalog.format('referrer.%I OPERATOR(pg_catalog.=) removed.%I', referring.attname, referred.attname),
                ' AND '
            ) AS matches
        FROM pg_catalog.pg_constraint AS foreign_key
        CROSS JOIN LATERAL ROWS FROM (
            pg_catalog.unnest(foreign_key.conkey), pg_catalog.unnest(foreign_key.confkey)
        ) AS pair (referring, referred)
        JOIN pg_catalog.pg_attribute AS referring
            ON referring.attrelid OPERATOR(pg_catalog.=) foreign_key.conrelid
            AND referring.attnum OPERATOR(pg_catalog.=) pair.referring
        JOIN pg_catalog.pg_attribute AS referred
            ON referred.attrelid OPERATOR(pg_catalog.=) foreign_key.confrelid
            AND referred.attnum OPERATOR(pg_catalog.=) pair.referred
        WHERE foreign_key.contype OPERATOR(pg_catalog.=) 'f'
            AND foreign_key.confrelid OPERATOR(pg_catalog.=) p_table
            -- Not again for each partition.
            AND foreign_key.conparentid OPERATOR(pg_catalog.=) 0::pg_catalog.oid
        GROUP BY foreign_key.oid
        -- The vault entries last: a recording in no vault may be the application's triggers' to delete.
        ORDER BY
            foreign_key.conrelid OPERATOR(pg_catalog.=) '@extschema@.vault_entries'::pg_catalog.regclass,
            foreign_key.oid
    LOOP
        PERFORM connector_pipeline.must_see_all_rows(reference.referrer);
        PERFORM connector_pipeline.must_be_there(p_table, p_from_ids);
        going_ids := CASE
            WHEN reference.referrer OPERATOR(pg_catalog.=) p_table THEN p_from_ids
            WHEN reference.referrer OPERATOR(pg_catalog.=) '@extschema@.vault_entries'::pg_catalog.regclass
                THEN p_merged_entry_ids
        END;
        referring_rows := pg_catalog.format(
            'ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS pair (removed_id, kept_id)
            JOIN %1$s AS removed ON removed.id OPERATOR(pg_catalog.=) pair.removed_id
            JOIN %1$s AS kept ON kept.id OPERATOR(pg_catalog.=) pair.kept_id
            WHERE %2$s%3$s',
            p_table, reference.matches,
            CASE WHEN going_ids IS NOT NULL THEN ' AND referrer.id OPERATOR(pg_catalog.<>) ALL ($3)' END
        );
        IF reference.referrer OPERATOR(pg_catalog.=) p_table THEN
            EXECUTE pg_catalog.format(
                'SELECT pg_catalog.count(*) AS number, pg_catalog.min(referrer.id::pg_catalog.text) AS first_id
                FROM %s AS referrer, %s AND referrer.id OPERATOR(pg_catalog.=) pair.kept_id',
                reference.referrer, referring_rows
            )
            INTO rows_found
            USING p_from_ids, p_to_ids, going_ids;
            -- It would be its own parent, or whatever the reference means.
            IF rows_found.number OPERATOR(pg_catalog.>) 0 THEN
                RAISE EXCEPTION '% rows of % refer to their own duplicates; nothing has been changed',
                    rows_found.number, p_table
                    USING ERRCODE = 'object_not_in_prerequisite_state',
                        DETAIL = pg_catalog.format('The first is %s, by %s.', rows_found.first_id, reference.columns),
                        HINT = pg_catalog.format(
                            'Let each of them refer to another row of %s, or to none, and merge again.', p_table
                        );
            END IF;
        END IF;
        BEGIN
            EXECUTE pg_catalog.format(
                'UPDATE %s AS referrer SET %s FROM %s', reference.referrer, reference.changes, referring_rows
            )
            USING p_from_ids, p_to_ids, going_ids;
        EXCEPTION WHEN unique_violation OR exclusion_violation THEN
            GET STACKED DIAGNOSTICS detail := PG_EXCEPTION_DETAIL;
            RAISE EXCEPTION 'rows of % that refer to duplicates can''t all refer to the row that is kept; nothing has been changed',
                reference.referrer
                USING ERRCODE = 'unique_violation',
                    DETAIL = pg_catalog.concat_ws(' ', pg_catalog.concat(SQLERRM, '.'), detail),
                    HINT = pg_catalog.format('Keep one of them in %s, and merge again.', reference.referrer);
        END;
        EXECUTE pg_catalog.format(
            'SELECT
                pg_catalog.count(*) AS number,
                pg_catalog.min(pg_catalog.to_jsonb(referrer)::pg_catalog.text) AS first_row,
                pg_catalog.min(referrer.tableoid) AS part
            FROM %s AS referrer, %s',
            reference.referrer, referring_rows
        )
        INTO rows_found
        USING p_from_ids, p_to_ids, going_ids;
        PERFORM connector_pipeline.must_be_moved(
            reference.referrer, rows_found.number, rows_found.first_row, rows_found.part
        );
    END LOOP;
END
$$;

-- Opens and closes the sync job of a connector's run. Row-level security decides whose jobs a caller may write.
-- Names are qualified instead of a SET clause, so that an application's triggers run with the caller's search_path.

CREATE OR REPLACE FUNCTION @extschema@.start_sync_job(
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
    RETURN job;
END
$$;

CREATE OR REPLACE FUNCTION @extschema@.finish_sync_job(p_sync_job_id uuid, p_error text DEFAULT NULL) RETURNS jsonb
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

COMMENT ON FUNCTION connector_pipeline.count_records(text) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.start_backfill(bigint, uuid) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.open_backfill_job(uuid, jsonb) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.import_chunk(jsonb[], uuid, jsonb) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.count_chunk(jsonb, jsonb, jsonb) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.finish_backfill(jsonb) IS 'A part of backfill()';

COMMENT ON FUNCTION connector_pipeline.duplicates() IS
'Lists the keys (owner, source, external id) of several recordings.
Such recordings are older than the dedup index. recording_ids: the oldest first (one without created_at counts as the newest), which check_duplicate() returns and merge_duplicates() keeps. bank_ids: the bank of each.
Raises 42501 if policies may hide rows from the caller.';

COMMENT ON FUNCTION connector_pipeline.merge_duplicates(boolean) IS
'Keeps the oldest recording of each key, and deletes its duplicates.
Moves the duplicates'' vault entries, and all rows that reference the duplicates by a foreign key, to the recording that is kept. Of several entries in one vault one is kept, with the tags and notes of all. All or nothing.
p_dry_run: true to get the result without changing anything; false to merge.
Returns a row for each deleted recording: kept_id, removed_id, removed_row (as before), entries_moved (a count), entries_merged (the entries that were merged into another entry of their vault, as before). A duplicate vault entry of one recording has a row without removed_id.
Locks recordings and vault_entries against writes (EXCLUSIVE), also in a dry run.
Raises 22004 if p_dry_run is NULL; 55000 if duplicates are in different banks (or one is in none) or in a vault of another bank, if the oldest recording of a key references a newer one, or if an id is missing or not a uuid; 23505 if rows that reference duplicates can''t reference one recording; 42501 if policies may hide rows from the caller; 09000 if a trigger or a rule prevents a delete or a move, or deletes rows that are to be kept. Then nothing is changed.';

COMMENT ON FUNCTION connector_pipeline.must_have_ids() IS 'A part of merge_duplicates()';
COMMENT ON FUNCTION connector_pipeline.must_see_all_rows(regclass) IS 'A part of duplicates() and merge_duplicates()';
COMMENT ON FUNCTION connector_pipeline.must_be_gone(regclass, uuid[]) IS 'A part of merge_duplicates()';
COMMENT ON FUNCTION connector_pipeline.must_be_there(regclass, uuid[]) IS 'A part of merge_duplicates()';
COMMENT ON FUNCTION connector_pipeline.must_be_moved(regclass, bigint, text, regclass) IS 'A part of merge_duplicates()';
COMMENT ON FUNCTION connector_pipeline.plan_merge() IS 'A part of merge_duplicates()';
COMMENT ON FUNCTION connector_pipeline.report_merge(uuid[], uuid[], uuid[]) IS 'A part of merge_duplicates()';
COMMENT ON FUNCTION connector_pipeline.merge_local_data(uuid[], uuid[]) IS 'A part of merge_duplicates()';
COMMENT ON FUNCTION connector_pipeline.move_references(regclass, uuid[], uuid[], uuid[]) IS 'A part of merge_duplicates()';

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
