-- What check_duplicates() has to look up, as a bare join. $1 owner, $2 source, $3 external ids.
SELECT asked.external_id, recordings.id
FROM unnest($3::text[]) AS asked (external_id)
LEFT JOIN recordings
    ON recordings.owner_user_id = $1
    AND recordings.source_app = $2
    AND recordings.source_metadata ->> 'external_id' = asked.external_id
