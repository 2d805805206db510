-- Lists the columns that the pipeline reads or writes. An adopted table may have others.
--
-- serving: the types that are compatible, first the type that bootstrap() creates. anyenum stands for every enum: the
-- statements compare such a column as text, and write its labels as literals.
-- definition: of a column that is added. Nullable or with a constant default, so that no row is rewritten.
-- is_added: false if only the application knows the values for existing rows. Then bootstrap() fails if the column is
-- missing.
-- is_filled: every INSERT of the pipeline gives a value. Without that, a NOT NULL column needs a default.
SELECT table_name, column_name, serving::pg_catalog.regtype[], definition, is_added, is_filled
FROM (
    VALUES
        ('banks', 'id', '{uuid}', 'uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE', false, false),
        ('banks', 'name', '{text,varchar}', 'text', true, true),
        ('banks', 'type', '{text,varchar,anyenum}', 'text', false, true),

        ('bank_memberships', 'bank_id', '{uuid}', 'uuid', false, true),
        ('bank_memberships', 'user_id', '{uuid}', 'uuid', false, true),
        ('bank_memberships', 'role', '{text,varchar,anyenum}', 'text', false, true),

        ('vaults', 'id', '{uuid}', 'uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE', false, false),
        ('vaults', 'bank_id', '{uuid}', 'uuid', false, true),
        ('vaults', 'name', '{text,varchar}', 'text', true, true),
        ('vaults', 'vault_type', '{text,varchar,anyenum}', 'text', false, true),

        ('vault_memberships', 'vault_id', '{uuid}', 'uuid', false, true),
        ('vault_memberships', 'user_id', '{uuid}', 'uuid', false, true),
        ('vault_memberships', 'role', '{text,varchar,anyenum}', 'text', false, true),

        ('recordings', 'id', '{uuid}', 'uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE', false, true),
        ('recordings', 'bank_id', '{uuid}', 'uuid', false, true),
        ('recordings', 'owner_user_id', '{uuid}', 'uuid', false, true),
        ('recordings', 'title', '{text,varchar}', 'text', true, true),
        ('recordings', 'audio_url', '{text,varchar}', 'text', true, false),
        ('recordings', 'video_url', '{text,varchar}', 'text', true, false),
        ('recordings', 'full_transcript', '{text,varchar}', 'text', true, true),
        ('recordings', 'summary', '{text,varchar}', 'text', true, false),
        ('recordings', 'global_tags', '{text[],varchar[]}', 'text[]', true, false),
        ('recordings', 'source_app', '{text,varchar}', 'text', true, true),
        ('recordings', 'source_metadata', '{jsonb}', 'jsonb NOT NULL DEFAULT ''{}''', true, true),
        ('recordings', 'duration', '{integer,bigint,numeric}', 'integer', true, false),
        ('recordings', 'recording_start_time', '{timestamptz}', 'timestamptz', true, true),
        ('recordings', 'recording_end_time', '{timestamptz}', 'timestamptz', true, false),
        -- Not added: the time shows which duplicate is the oldest, and a default would be the same for all rows.
        ('recordings', 'created_at', '{timestamptz,timestamp}', 'timestamptz DEFAULT now()', false, false),
        ('recordings', 'synced_at', '{timestamptz,timestamp}', 'timestamptz', true, true),

        ('vault_entries', 'id', '{uuid}', 'uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE', false, true),
        ('vault_entries', 'vault_id', '{uuid}', 'uuid', false, true),
        ('vault_entries', 'recording_id', '{uuid}', 'uuid', false, true),

        ('import_sources', 'user_id', '{uuid}', 'uuid', false, true),
        ('import_sources', 'source_app', '{text,varchar}', 'text', false, true),
        ('import_sources', 'last_sync_at', '{timestamptz,timestamp}', 'timestamptz', true, true),
        ('import_sources', 'error_message', '{text,varchar}', 'text', true, false),
        ('import_sources', 'updated_at', '{timestamptz,timestamp}', 'timestamptz NOT NULL DEFAULT now()', true, false),

        ('sync_jobs', 'id', '{uuid}', 'uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE', false, false),
        ('sync_jobs', 'user_id', '{uuid}', 'uuid', false, true),
        ('sync_jobs', 'type', '{text,varchar}', 'text NOT NULL DEFAULT ''sync''', true, true),
        ('sync_jobs', 'source_app', '{text,varchar}', 'text', true, false),
        ('sync_jobs', 'status', '{text,varchar}', 'text NOT NULL DEFAULT ''pending''', true, true),
        ('sync_jobs', 'recording_ids', '{text[],varchar[]}', 'text[]', true, false),
        ('sync_jobs', 'progress_current', '{integer,bigint,numeric}', 'integer NOT NULL DEFAULT 0', true, false),
        ('sync_jobs', 'progress_total', '{integer,bigint,numeric}', 'integer NOT NULL DEFAULT 0', true, true),
        ('sync_jobs', 'synced_ids', '{text[],varchar[]}', 'text[] NOT NULL DEFAULT ''{}''', true, false),
        ('sync_jobs', 'failed_ids', '{text[],varchar[]}', 'text[] NOT NULL DEFAULT ''{}''', true, false),
        ('sync_jobs', 'skipped_count', '{integer,bigint,numeric}', 'integer NOT NULL DEFAULT 0', true, false),
        ('sync_jobs', 'error', '{text,varchar}', 'text', true, false),
        ('sync_jobs', 'metadata', '{jsonb}', 'jsonb NOT NULL DEFAULT ''{}''', true, false),
        ('sync_jobs', 'started_at', '{timestamptz,timestamp}', 'timestamptz', true, true),
        ('sync_jobs', 'completed_at', '{timestamptz,timestamp}', 'timestamptz', true, false),
        ('sync_jobs', 'updated_at', '{timestamptz,timestamp}', 'timestamptz NOT NULL DEFAULT now()', true, false),

        ('import_failures', 'id', '{uuid}', 'uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE', false, false),
        ('import_failures', 'user_id', '{uuid}', 'uuid', false, false),
        ('import_failures', 'owner_user_id', '{uuid}', 'uuid', false, false),
        ('import_failures', 'source_app', '{text,varchar}', 'text', false, false),
        ('import_failures', 'external_id', '{text,varchar}', 'text', false, false),
        ('import_failures', 'record', '{jsonb}', 'jsonb', false, true),
        ('import_failures', 'error', '{text,varchar}', 'text', true, true),
        ('import_failures', 'code', '{text,varchar}', 'text', true, true),
        ('import_failures', 'attempts', '{integer,bigint,numeric}', 'integer NOT NULL DEFAULT 1', true, false),
        ('import_failures', 'updated_at', '{timestamptz,timestamp}', 'timestamptz NOT NULL DEFAULT now()', true, false),
        (
            'import_failures', 'record_key', '{uuid}',
            -- As in bootstrap.sql. Adding this column rewrites the table, which is small.
            $$uuid NOT NULL GENERATED ALWAYS AS (
                md5(
                    COALESCE(owner_user_id::text, '') || ' '
                    || COALESCE(
                        length(source_app)::text || ' ' || source_app || ' ' || external_id,
                        jsonb_hash_extended(record, 0)::text
                    )
                )::uuid
            ) STORED$$,
            true, false
        )
) AS needed (table_name, column_name, serving, definition, is_added, is_filled)
