-- B4, step 1: is it imported already? $1 owner, $2 source, $3 external id.
SELECT id
FROM recordings
WHERE owner_user_id = $1
    AND source_app = $2
    AND source_metadata ->> 'external_id' = $3
