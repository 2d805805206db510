-- What a page shows a user of its imports, one query each. It is the user who asks: row-level security shows nothing of
-- anybody else's.

\echo 'Sources, with the last sync of each:'
SELECT source_app, is_active, account_email, last_sync_at::timestamp(0), error_message FROM import_sources ORDER BY source_app;

\echo 'Recordings of each, also of sources that are not connected:'
SELECT source_app, call_count FROM get_import_counts() ORDER BY source_app;

\echo 'The last run; while it goes on, its progress:'
SELECT source_app, status, progress_current, progress_total, cardinality(synced_ids) AS new, skipped_count, failed_ids
FROM sync_jobs
ORDER BY created_at DESC
LIMIT 1;

\echo 'What failed is kept, for a list with a button:'
SELECT external_id, record ->> 'title' AS title, code, attempts, left(error, 80) || ' …' AS error
FROM import_failures
ORDER BY updated_at DESC;
