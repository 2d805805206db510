-- Locks a sync job that the caller may write.
-- $1 the job, an array of one. Rows: one, without meaning, or none if there is no such job.
SELECT true
FROM @extschema@.sync_jobs
WHERE sync_jobs.id OPERATOR(pg_catalog.=) ANY ($1)
FOR NO KEY UPDATE
