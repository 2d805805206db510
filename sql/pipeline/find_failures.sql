-- Finds the failures of a user, those tried longest ago first.
-- $1 the user, $2 a source app or NULL for all, $3 how many at most: arrays of one. Rows: id, user, owner, record,
-- source app, external id.
--
-- Takes no row locks: a batch locks keys first and failures after them, and so does a retry. Two concurrent retries
-- both import, and one of them skips the duplicates. Failures without a user are returned for their owner, if policies
-- allow the caller to read them.
SELECT
    failure.id,
    failure.user_id,
    failure.owner_user_id,
    -- An adopted table may have varchar here, or a domain.
    failure.record::pg_catalog.jsonb,
    failure.source_app::pg_catalog.text,
    failure.external_id::pg_catalog.text
FROM @extschema@.import_failures AS failure
WHERE COALESCE(failure.user_id, failure.owner_user_id) OPERATOR(pg_catalog.=) ($1)[1]
    AND (($2)[1] IS NULL OR failure.source_app OPERATOR(pg_catalog.=) ($2)[1])
ORDER BY failure.updated_at, failure.external_id, failure.id
LIMIT ($3)[1]
