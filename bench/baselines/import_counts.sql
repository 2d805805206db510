-- What get_import_counts() has to count, and nothing else: an index-only scan. $1 the owner.
SELECT source_app, count(*)
FROM recordings
WHERE owner_user_id = $1
GROUP BY source_app
