-- Lists the unique indexes that ON CONFLICT needs, with their columns as pg_get_indexdef() writes them.
SELECT index_name, table_name, key
FROM (
    VALUES
        (
            'recordings_dedup_key', 'recordings',
            ARRAY['owner_user_id', 'source_app', '(source_metadata ->> ''external_id''::text)']
        ),
        ('vault_entries_vault_id_recording_id_key', 'vault_entries', ARRAY['vault_id', 'recording_id']),
        ('import_sources_user_id_source_app_key', 'import_sources', ARRAY['user_id', 'source_app']),
        ('import_failures_user_id_record_key_key', 'import_failures', ARRAY['user_id', 'record_key'])
) AS needed (index_name, table_name, key)
