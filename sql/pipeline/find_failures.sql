-- The failures of a user, those tried longest ago first.
-- $1 the user, $2 a source app or NULL for all, $3 how many at most: arrays of one. Rows: id, user, owner, record, source app,
-- external id.
--
-- Not locked: a batch locks keys first and failures after them, and so does a retry. Two retries at a time both import,
-- and dedup makes one of them skip. Failures that no user sees are for their owner, as far as the caller may see them.
SELECT failure.id, failure.user_id, failure.owner_user_id, failure.record, failure.source_app, failure.external_id
FROM @extschema@.import_failures AS failure
WHERE COALESCE(failure.user_id, failure.owner_user_id) OPERATOR(pg_catalog.=) ($1)[1]
    AND (($2)[1] IS NULL OR failure.source_app OPERATOR(pg_catalog.=) ($2)[1])
ORDER BY failure.updated_at, failure.external_id, failure.id
LIMIT ($3)[1]
