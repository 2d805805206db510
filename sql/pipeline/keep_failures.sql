-- Keeps failed records for a retry, one row per user and key.
-- A row has the last record, its error, and the number of attempts.
-- $1 users, $2 owners, $3 source apps, $4 external ids, $5 records, $6 errors, $7 SQLSTATEs: one element per failure,
-- no key twice, in lock order. Rows: none.
INSERT INTO @extschema@.import_failures AS kept (user_id, owner_user_id, source_app, external_id, record, error, code)
SELECT
    @each@($1),
    @each@($2),
    @each@($3),
    @each@($4),
    @each@($5),
    @each@($6),
    @each@($7)
ON CONFLICT (user_id, record_key) DO UPDATE
SET
    record = excluded.record,
    error = excluded.error,
    code = excluded.code,
    attempts = kept.attempts OPERATOR(pg_catalog.+) 1,
    updated_at = pg_catalog.now()
