-- One transaction at a time makes the personal bank of a user. Held to the end of the transaction.
-- $1 the user, an array of one. Rows: one, of no meaning.
SELECT pg_catalog.pg_advisory_xact_lock(
    pg_catalog.hashtextextended('connector_pipeline.personal_bank ' OPERATOR(pg_catalog.||) user_id::pg_catalog.text, 0)
)
FROM (SELECT @each@($1) AS user_id) AS asked
