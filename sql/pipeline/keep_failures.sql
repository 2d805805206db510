-- Keeps failed records for a retry: once a user and key, with the last record, error and number of attempts.
-- $1 users, $2 source apps, $3 external ids, $4 records, $5 errors, $6 SQLSTATEs: one element each a failure. Rows: none.
--
-- Of a key that failed twice in one batch the last is kept. Sorted, for that is lock order.
INSERT INTO @extschema@.import_failures AS kept (user_id, source_app, external_id, record, error, code)
SELECT DISTINCT ON (failed.user_id, failed.source_app, failed.external_id, failed.record_without_key)
    failed.user_id, failed.source_app, failed.external_id, failed.record, failed.error, failed.code
FROM (
    SELECT
        given.*,
        CASE WHEN given.source_app IS NULL OR given.external_id IS NULL THEN given.record END AS record_without_key
    FROM (
        SELECT
            pg_catalog.generate_subscripts($1, 1) AS position,
            pg_catalog.unnest($1) AS user_id,
            pg_catalog.unnest($2) AS source_app,
            pg_catalog.unnest($3) AS external_id,
            pg_catalog.unnest($4) AS record,
            pg_catalog.unnest($5) AS error,
            pg_catalog.unnest($6) AS code
    ) AS given
) AS failed
ORDER BY
    failed.user_id, failed.source_app, failed.external_id, failed.record_without_key, failed.position DESC
ON CONFLICT (user_id, record_key) DO UPDATE
SET
    record = excluded.record,
    error = excluded.error,
    code = excluded.code,
    attempts = kept.attempts OPERATOR(pg_catalog.+) 1,
    updated_at = pg_catalog.now()
