-- Takes a user's advisory lock until the end of the transaction, to create one personal bank.
-- $1 the user, an array of one. Rows: one, without meaning.
SELECT pg_catalog.pg_advisory_xact_lock(
    pg_catalog.hashtextextended('connector_pipeline.personal_bank ' OPERATOR(pg_catalog.||) user_id::pg_catalog.text, 0)
)
FROM (SELECT @each@($1) AS user_id) AS asked
