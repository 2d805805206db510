-- Locks a sync job, as far as the caller may write it.
-- $1 the job, an array of one. Rows: one, of no meaning, or none where there is no such job.
SELECT true
FROM @extschema@.sync_jobs
WHERE sync_jobs.id OPERATOR(pg_catalog.=) ANY ($1)
FOR NO KEY UPDATE
