-- Recordings that were imported more than once, from before the dedup index: found, and merged into the oldest of each
-- key. Both work on any adopted schema before bootstrap(), which refuses as long as there are duplicates.

CREATE FUNCTION connector_pipeline.duplicates()
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
CREATE FUNCTION connector_pipeline.merge_duplicates(p_dry_run boolean DEFAULT true)
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
CREATE FUNCTION connector_pipeline.must_have_ids() RETURNS void
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
CREATE FUNCTION connector_pipeline.must_see_all_rows(p_table regclass) RETURNS void
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
CREATE FUNCTION connector_pipeline.must_be_gone(p_table regclass, p_left_ids uuid[]) RETURNS void
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
CREATE FUNCTION connector_pipeline.must_be_there(p_table regclass, p_ids uuid[]) RETURNS void
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
CREATE FUNCTION connector_pipeline.must_be_moved(p_table regclass, p_left bigint, p_first_left text, p_part regclass)
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
CREATE FUNCTION connector_pipeline.plan_merge(
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
CREATE FUNCTION connector_pipeline.report_merge(p_removed_ids uuid[], p_kept_ids uuid[], p_merged_ids uuid[])
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
CREATE FUNCTION connector_pipeline.merge_local_data(p_merged_ids uuid[], p_kept_ids uuid[]) RETURNS void
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
CREATE FUNCTION connector_pipeline.move_references(
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
