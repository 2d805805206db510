-- Creates the tables of connector_pipeline, when bootstrap() runs this file.
--
-- The tables belong to the role that runs bootstrap() and are not members of the extension, so that pg_dump dumps them
-- and DROP EXTENSION does not drop them.
--
-- Each part begins with the object that it creates, and is skipped as a whole if that object exists. Policies, grants
-- and most indexes are in the part of their table, and so are not added to an application's own table: a permissive
-- policy would widen what the application's policies allow. An adopted table needs the columns in
-- bootstrap/needed_columns.sql, and the unique indexes for ON CONFLICT, which are parts of their own and listed in
-- bootstrap/needed_keys.sql.
--
-- Each GRANT follows a REVOKE, because Supabase's default privileges give the API's roles access to new tables in
-- public. PostgreSQL names the plain indexes, so that an application's index of that name does no harm. Only the owner has
-- TRIGGER: ensure_personal_bank() runs triggers with the owner's rights. Policies use
-- (SELECT auth.uid()), which PostgreSQL evaluates once per statement instead of once per row.

-- @ table banks
-- A bank is a tenant: recordings, vaults and vault entries never cross banks.
CREATE TABLE @extschema@.banks (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    type text NOT NULL DEFAULT 'personal' CHECK (type IN ('personal', 'business')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE @extschema@.banks IS 'Tenants: the personal bank of a user, or the bank of a business';
REVOKE ALL ON TABLE @extschema@.banks FROM PUBLIC, anon, authenticated, service_role;
GRANT SELECT ON TABLE @extschema@.banks TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE @extschema@.banks TO service_role;
ALTER TABLE @extschema@.banks ENABLE ROW LEVEL SECURITY;

-- @ table bank_memberships
CREATE TABLE @extschema@.bank_memberships (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    bank_id uuid NOT NULL REFERENCES @extschema@.banks (id) ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
    role text NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'admin', 'member')),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (bank_id, user_id)
);
COMMENT ON TABLE @extschema@.bank_memberships IS 'Who belongs to a bank, and as what';
-- For the foreign key, the policies below, and the pipeline's look-up of a user's banks.
CREATE INDEX ON @extschema@.bank_memberships (user_id);
REVOKE ALL ON TABLE @extschema@.bank_memberships FROM PUBLIC, anon, authenticated, service_role;
GRANT SELECT ON TABLE @extschema@.bank_memberships TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE @extschema@.bank_memberships TO service_role;
ALTER TABLE @extschema@.bank_memberships ENABLE ROW LEVEL SECURITY;
-- Shows users only their own memberships.
-- A policy for the rows of other members would have to read this table, and so recurse.
CREATE POLICY bank_memberships_select ON @extschema@.bank_memberships
    FOR SELECT TO authenticated
    USING (user_id = (SELECT auth.uid()));

-- @ policy banks_select ON banks
-- Shows members their banks. Not in the table's part, because this policy reads bank_memberships. There is no policy
-- for writing: creating banks is left to the application.
CREATE POLICY banks_select ON @extschema@.banks
    FOR SELECT TO authenticated
    USING (id IN (SELECT bank_id FROM @extschema@.bank_memberships WHERE user_id = (SELECT auth.uid())));

-- @ table vaults
CREATE TABLE @extschema@.vaults (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    bank_id uuid NOT NULL REFERENCES @extschema@.banks (id) ON DELETE CASCADE,
    name text NOT NULL,
    vault_type text NOT NULL DEFAULT 'personal' CHECK (vault_type IN ('personal', 'team')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE @extschema@.vaults IS 'Collections of recordings within a bank, shared among their members';
-- For the foreign key, and for the pipeline's look-up of a bank's personal vault.
CREATE INDEX ON @extschema@.vaults (bank_id);
REVOKE ALL ON TABLE @extschema@.vaults FROM PUBLIC, anon, authenticated, service_role;
GRANT SELECT ON TABLE @extschema@.vaults TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE @extschema@.vaults TO service_role;
ALTER TABLE @extschema@.vaults ENABLE ROW LEVEL SECURITY;

-- @ table vault_memberships
CREATE TABLE @extschema@.vault_memberships (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    vault_id uuid NOT NULL REFERENCES @extschema@.vaults (id) ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
    role text NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (vault_id, user_id)
);
COMMENT ON TABLE @extschema@.vault_memberships IS 'Who may look into a vault, and who may add to it (all but viewers)';
-- For the foreign key and the policies.
CREATE INDEX ON @extschema@.vault_memberships (user_id);
REVOKE ALL ON TABLE @extschema@.vault_memberships FROM PUBLIC, anon, authenticated, service_role;
GRANT SELECT ON TABLE @extschema@.vault_memberships TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE @extschema@.vault_memberships TO service_role;
ALTER TABLE @extschema@.vault_memberships ENABLE ROW LEVEL SECURITY;
-- Shows users only their own memberships, as in bank_memberships.
CREATE POLICY vault_memberships_select ON @extschema@.vault_memberships
    FOR SELECT TO authenticated
    USING (user_id = (SELECT auth.uid()));

-- @ policy vaults_select ON vaults
-- Shows members their vaults. Not in the table's part, because this policy reads vault_memberships.
CREATE POLICY vaults_select ON @extschema@.vaults
    FOR SELECT TO authenticated
    USING (id IN (SELECT vault_id FROM @extschema@.vault_memberships WHERE user_id = (SELECT auth.uid())));

-- @ table recordings
CREATE TABLE @extschema@.recordings (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    bank_id uuid NOT NULL REFERENCES @extschema@.banks (id) ON DELETE CASCADE,
    owner_user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
    title text NOT NULL,
    audio_url text,
    video_url text,
    full_transcript text,
    summary text,
    global_tags text[],
    source_app text,
    source_metadata jsonb NOT NULL DEFAULT '{}',
    duration integer CHECK (duration >= 0),
    recording_start_time timestamptz,
    recording_end_time timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    synced_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE @extschema@.recordings IS 'Call recordings, each imported once for its owner and source';
COMMENT ON COLUMN @extschema@.recordings.source_metadata IS 'What the vendor said of it; external_id is the vendor''s id';
COMMENT ON COLUMN @extschema@.recordings.duration IS 'Seconds';
-- For the foreign key on bank_id. The dedup index serves that on owner_user_id, its first column.
CREATE INDEX ON @extschema@.recordings (bank_id);
REVOKE ALL ON TABLE @extschema@.recordings FROM PUBLIC, anon, authenticated, service_role;
-- Users may edit the content. Owner, bank and dedup key stay as imported.
GRANT SELECT, INSERT, DELETE ON TABLE @extschema@.recordings TO authenticated;
GRANT UPDATE (
    title, audio_url, video_url, full_transcript, summary, global_tags, duration, recording_start_time,
    recording_end_time, updated_at
) ON TABLE @extschema@.recordings TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE @extschema@.recordings TO service_role;
ALTER TABLE @extschema@.recordings ENABLE ROW LEVEL SECURITY;
-- Users insert only as themselves, and only into banks that they are members of.
CREATE POLICY recordings_insert ON @extschema@.recordings
    FOR INSERT TO authenticated
    WITH CHECK (
        owner_user_id = (SELECT auth.uid())
        AND bank_id IN (SELECT bank_id FROM @extschema@.bank_memberships WHERE user_id = (SELECT auth.uid()))
    );
CREATE POLICY recordings_update ON @extschema@.recordings
    FOR UPDATE TO authenticated
    USING (owner_user_id = (SELECT auth.uid()))
    WITH CHECK (owner_user_id = (SELECT auth.uid()));
CREATE POLICY recordings_delete ON @extschema@.recordings
    FOR DELETE TO authenticated
    USING (owner_user_id = (SELECT auth.uid()));

-- @ index recordings_dedup_key ON recordings
-- Finds duplicates, through ON CONFLICT. Owner and source are the first columns, for get_import_counts() and the
-- foreign key on the owner.
CREATE UNIQUE INDEX recordings_dedup_key
    ON @extschema@.recordings (owner_user_id, source_app, (source_metadata ->> 'external_id'));

-- @ table vault_entries
CREATE TABLE @extschema@.vault_entries (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    vault_id uuid NOT NULL REFERENCES @extschema@.vaults (id) ON DELETE CASCADE,
    recording_id uuid NOT NULL,
    local_tags text[],
    notes text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (vault_id, recording_id)
);
-- Where recordings are partitioned, say by their owner, there may be no key on the id alone, which this one needs.
DO $$
BEGIN
    IF EXISTS (
        SELECT
        FROM pg_catalog.pg_index AS index
        JOIN pg_catalog.pg_attribute AS attribute
            ON attribute.attrelid = index.indrelid AND attribute.attnum = index.indkey[0]
        WHERE index.indrelid = '@extschema@.recordings'::pg_catalog.regclass
            AND index.indisunique
            AND index.indisvalid
            AND index.indimmediate
            AND index.indpred IS NULL
            AND index.indnkeyatts = 1
            AND attribute.attname = 'id'
    ) THEN
        ALTER TABLE @extschema@.vault_entries
            ADD FOREIGN KEY (recording_id) REFERENCES @extschema@.recordings (id) ON DELETE CASCADE;
    END IF;
END
$$;
COMMENT ON TABLE @extschema@.vault_entries IS 'Which recordings are in a vault, with the vault''s own tags and notes';
-- For the foreign key on recording_id. The unique index serves that on vault_id, its first column.
CREATE INDEX ON @extschema@.vault_entries (recording_id);
REVOKE ALL ON TABLE @extschema@.vault_entries FROM PUBLIC, anon, authenticated, service_role;
GRANT SELECT, INSERT, DELETE ON TABLE @extschema@.vault_entries TO authenticated;
GRANT UPDATE (local_tags, notes, updated_at) ON TABLE @extschema@.vault_entries TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE @extschema@.vault_entries TO service_role;
ALTER TABLE @extschema@.vault_entries ENABLE ROW LEVEL SECURITY;
CREATE POLICY vault_entries_select ON @extschema@.vault_entries
    FOR SELECT TO authenticated
    USING (vault_id IN (SELECT vault_id FROM @extschema@.vault_memberships WHERE user_id = (SELECT auth.uid())));
-- Viewers may not write. The policy can't check the recording's owner: the policy on recordings reads this table, and
-- PostgreSQL refuses such a recursion. So a colleague who knows a recording's id can add that recording to a vault of
-- its bank, and see it; a vault of another bank shows nothing, see recordings_select.
CREATE POLICY vault_entries_insert ON @extschema@.vault_entries
    FOR INSERT TO authenticated
    WITH CHECK (
        vault_id IN (
            SELECT vault_id
            FROM @extschema@.vault_memberships
            WHERE user_id = (SELECT auth.uid()) AND role <> 'viewer'
        )
    );
CREATE POLICY vault_entries_update ON @extschema@.vault_entries
    FOR UPDATE TO authenticated
    USING (
        vault_id IN (
            SELECT vault_id
            FROM @extschema@.vault_memberships
            WHERE user_id = (SELECT auth.uid()) AND role <> 'viewer'
        )
    );
CREATE POLICY vault_entries_delete ON @extschema@.vault_entries
    FOR DELETE TO authenticated
    USING (
        vault_id IN (
            SELECT vault_id
            FROM @extschema@.vault_memberships
            WHERE user_id = (SELECT auth.uid()) AND role <> 'viewer'
        )
    );

-- @ index vault_entries_vault_id_recording_id_key ON vault_entries
-- For an adopted table: in the table that bootstrap() creates, a constraint has this index.
CREATE UNIQUE INDEX vault_entries_vault_id_recording_id_key
    ON @extschema@.vault_entries (vault_id, recording_id);

-- @ policy recordings_select ON recordings
-- Shows users their own recordings, and those in their vaults. The vault must be of the recording's bank: a user can
-- insert an entry for any recording id, which must not open another bank. Not in the table's part, because this policy
-- reads vault_entries.
CREATE POLICY recordings_select ON @extschema@.recordings
    FOR SELECT TO authenticated
    USING (
        owner_user_id = (SELECT auth.uid())
        OR (id, bank_id) IN (
            SELECT entry.recording_id, vault.bank_id
            FROM @extschema@.vault_entries AS entry
            JOIN @extschema@.vaults AS vault ON vault.id = entry.vault_id
        )
    );

-- @ table import_sources
CREATE TABLE @extschema@.import_sources (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
    source_app text NOT NULL,
    is_active boolean NOT NULL DEFAULT true,
    account_email text,
    last_sync_at timestamptz,
    error_message text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    -- Also serves the foreign key and the policies, through its first column.
    UNIQUE (user_id, source_app)
);
COMMENT ON TABLE @extschema@.import_sources IS 'Which sources a user has connected, and how the last sync of each went';
REVOKE ALL ON TABLE @extschema@.import_sources FROM PUBLIC, anon, authenticated, service_role;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE @extschema@.import_sources TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE @extschema@.import_sources TO service_role;
ALTER TABLE @extschema@.import_sources ENABLE ROW LEVEL SECURITY;
CREATE POLICY import_sources_select ON @extschema@.import_sources
    FOR SELECT TO authenticated
    USING (user_id = (SELECT auth.uid()));
CREATE POLICY import_sources_insert ON @extschema@.import_sources
    FOR INSERT TO authenticated
    WITH CHECK (user_id = (SELECT auth.uid()));
CREATE POLICY import_sources_update ON @extschema@.import_sources
    FOR UPDATE TO authenticated
    USING (user_id = (SELECT auth.uid()))
    WITH CHECK (user_id = (SELECT auth.uid()));
CREATE POLICY import_sources_delete ON @extschema@.import_sources
    FOR DELETE TO authenticated
    USING (user_id = (SELECT auth.uid()));

-- @ index import_sources_user_id_source_app_key ON import_sources
-- For an adopted table: in the table that bootstrap() creates, a constraint has this index.
CREATE UNIQUE INDEX import_sources_user_id_source_app_key
    ON @extschema@.import_sources (user_id, source_app);

-- @ table sync_jobs
CREATE TABLE @extschema@.sync_jobs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
    type text NOT NULL DEFAULT 'sync',
    source_app text,
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'processing', 'completed', 'completed_with_errors', 'failed')),
    recording_ids text[],
    progress_current integer NOT NULL DEFAULT 0,
    progress_total integer NOT NULL DEFAULT 0,
    synced_ids text[] NOT NULL DEFAULT '{}',
    failed_ids text[] NOT NULL DEFAULT '{}',
    skipped_count integer NOT NULL DEFAULT 0,
    error text,
    metadata jsonb NOT NULL DEFAULT '{}',
    started_at timestamptz,
    completed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE @extschema@.sync_jobs IS 'Sync runs: what was asked for, how far it is, how it ended';
COMMENT ON COLUMN @extschema@.sync_jobs.recording_ids IS 'External ids that the connector set out to import';
COMMENT ON COLUMN @extschema@.sync_jobs.synced_ids IS 'External ids that were imported';
COMMENT ON COLUMN @extschema@.sync_jobs.failed_ids IS 'External ids that failed';
COMMENT ON COLUMN @extschema@.sync_jobs.skipped_count IS 'How many records were duplicates';
-- For the foreign key, the policies, and lists of a user's newest jobs.
CREATE INDEX ON @extschema@.sync_jobs (user_id, created_at DESC);
REVOKE ALL ON TABLE @extschema@.sync_jobs FROM PUBLIC, anon, authenticated, service_role;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE @extschema@.sync_jobs TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE @extschema@.sync_jobs TO service_role;
ALTER TABLE @extschema@.sync_jobs ENABLE ROW LEVEL SECURITY;
CREATE POLICY sync_jobs_select ON @extschema@.sync_jobs
    FOR SELECT TO authenticated
    USING (user_id = (SELECT auth.uid()));
CREATE POLICY sync_jobs_insert ON @extschema@.sync_jobs
    FOR INSERT TO authenticated
    WITH CHECK (user_id = (SELECT auth.uid()));
CREATE POLICY sync_jobs_update ON @extschema@.sync_jobs
    FOR UPDATE TO authenticated
    USING (user_id = (SELECT auth.uid()))
    WITH CHECK (user_id = (SELECT auth.uid()));
CREATE POLICY sync_jobs_delete ON @extschema@.sync_jobs
    FOR DELETE TO authenticated
    USING (user_id = (SELECT auth.uid()));

-- @ table import_failures
CREATE TABLE @extschema@.import_failures (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    -- The user who may read the failure, or NULL: the owner, or a caller who may not import for the owner.
    user_id uuid REFERENCES auth.users (id) ON DELETE CASCADE,
    -- The owner that the record is for, an existing user or not.
    owner_user_id uuid,
    source_app text,
    external_id text,
    record jsonb NOT NULL,
    error text NOT NULL,
    code text NOT NULL,
    attempts integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    -- The dedup key, or the record itself if it has none. The length distinguishes ('a b', 'c') from ('a', 'b c').
    record_key uuid NOT NULL GENERATED ALWAYS AS (
        md5(
            COALESCE(owner_user_id::text, '') || ' '
            || COALESCE(
                length(source_app)::text || ' ' || source_app || ' ' || external_id,
                jsonb_hash_extended(record, 0)::text
            )
        )::uuid
    ) STORED,
    -- Also serves the foreign key and the policies, through its first column.
    UNIQUE NULLS NOT DISTINCT (user_id, record_key)
);
COMMENT ON TABLE @extschema@.import_failures IS 'Records that failed to import, kept for retry_failed_imports()';
COMMENT ON COLUMN @extschema@.import_failures.code IS 'SQLSTATE of the last attempt';
REVOKE ALL ON TABLE @extschema@.import_failures FROM PUBLIC, anon, authenticated, service_role;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE @extschema@.import_failures TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE @extschema@.import_failures TO service_role;
ALTER TABLE @extschema@.import_failures ENABLE ROW LEVEL SECURITY;
CREATE POLICY import_failures_select ON @extschema@.import_failures
    FOR SELECT TO authenticated
    USING (user_id = (SELECT auth.uid()));
CREATE POLICY import_failures_insert ON @extschema@.import_failures
    FOR INSERT TO authenticated
    WITH CHECK (user_id = (SELECT auth.uid()));
CREATE POLICY import_failures_update ON @extschema@.import_failures
    FOR UPDATE TO authenticated
    USING (user_id = (SELECT auth.uid()))
    WITH CHECK (user_id = (SELECT auth.uid()));
CREATE POLICY import_failures_delete ON @extschema@.import_failures
    FOR DELETE TO authenticated
    USING (user_id = (SELECT auth.uid()));

-- @ index import_failures_user_id_record_key_key ON import_failures
-- For an adopted table: in the table that bootstrap() creates, a constraint has this index.
CREATE UNIQUE INDEX import_failures_user_id_record_key_key
    ON @extschema@.import_failures (user_id, record_key) NULLS NOT DISTINCT;

-- @ function source_metadata_ordered
-- Returns source_metadata with external_id as its first key; jsonb does not keep the order of keys. The body is a
-- string with qualified names: with a parsed body that reads a row's columns, PostgreSQL 15 refuses to add a column
-- with a default to the table. OR REPLACE replaces the function of version 0.1.0.
CREATE OR REPLACE FUNCTION @extschema@.source_metadata_ordered(@extschema@.recordings) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_catalog.concat('{', pg_catalog.string_agg(
        pg_catalog.concat(pg_catalog.to_json(field.key), ': ', field.value),
        ', ' ORDER BY field.key OPERATOR(pg_catalog.<>) 'external_id', field.position
    ), '}')::pg_catalog.json
    FROM pg_catalog.jsonb_each(($1).source_metadata) WITH ORDINALITY AS field (key, value, position)
    HAVING ($1).source_metadata IS NOT NULL
$$;
COMMENT ON FUNCTION @extschema@.source_metadata_ordered(@extschema@.recordings) IS
'source_metadata with external_id as its first key; a computed column.
Select the column with select=*,source_metadata_ordered.';
REVOKE ALL ON FUNCTION @extschema@.source_metadata_ordered(@extschema@.recordings) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION @extschema@.source_metadata_ordered(@extschema@.recordings) TO authenticated, service_role;
