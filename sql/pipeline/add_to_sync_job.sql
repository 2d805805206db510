-- Adds the counts and ids of a batch to its sync job.
-- $1 the job, $2 records processed, $3 duplicates: arrays of one. $4 ids imported, $5 ids failed. Rows: none.
UPDATE @extschema@.sync_jobs
SET
    progress_current = COALESCE(progress_current, 0) OPERATOR(pg_catalog.+) ($2)[1],
    skipped_count = COALESCE(skipped_count, 0) OPERATOR(pg_catalog.+) ($3)[1],
    synced_ids = COALESCE(synced_ids, '{}') OPERATOR(pg_catalog.||) $4,
    failed_ids = COALESCE(failed_ids, '{}') OPERATOR(pg_catalog.||) $5,
    updated_at = pg_catalog.now()
WHERE sync_jobs.id OPERATOR(pg_catalog.=) ANY ($1)
