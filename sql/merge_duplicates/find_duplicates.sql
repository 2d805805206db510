-- Finds the recordings that share a key: owner, source and external id.
-- A key with a NULL in it is none, for the dedup index lets any number of those in. The oldest comes first, as in
-- check_duplicate(): a recording without created_at counts as the newest.
-- Rows: owner, source, external id, the recordings' ids, the bank of each.
SELECT
    key.owner_user_id,
    key.source_app,
    key.external_id,
    pg_catalog.array_agg(key.id ORDER BY key.created_at, key.id),
    pg_catalog.array_agg(key.bank_id ORDER BY key.created_at, key.id)
FROM (
    SELECT
        recording.id,
        recording.bank_id,
        recording.created_at,
        recording.owner_user_id,
        recording.source_app::pg_catalog.text AS source_app,
        recording.source_metadata OPERATOR(pg_catalog.->>) 'external_id' AS external_id
    FROM @extschema@.recordings AS recording
) AS key
WHERE key.owner_user_id IS NOT NULL AND key.source_app IS NOT NULL AND key.external_id IS NOT NULL
GROUP BY key.owner_user_id, key.source_app, key.external_id
HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1
ORDER BY key.owner_user_id, key.source_app, key.external_id
