-- What each user has now, a column for each source.
SELECT people.name AS "user", counts.source_app, counts.call_count
FROM demo.people
CROSS JOIN LATERAL get_import_counts(people.user_id) AS counts
WHERE people.user_id IS NOT NULL
ORDER BY people.name, counts.source_app
\crosstabview "user" source_app call_count
