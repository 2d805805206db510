-- What run_pipeline() had to say, in both rounds.

\pset expanded on
SELECT
    format(
        '%s %s, imported by %s',
        demo_records.record ->> 'source_app', demo_records.record ->> 'external_id', demo_records.imported_by
    ) AS record,
    string_agg(results.round::text, ' and ' ORDER BY results.round) AS round,
    note.kind AS what,
    -- In lines of at most 80 characters.
    rtrim(regexp_replace(note.message, '(.{1,80})(\s+|$)', E'\\1\n', 'g'), E'\n') AS message
FROM demo.results
JOIN demo.demo_records USING (position)
CROSS JOIN LATERAL (VALUES
    ('error ' || (results.result ->> 'code'), results.result ->> 'error'),
    ('warning', results.result ->> 'warning'),
    ('ignoredFields', results.result ->> 'ignoredFields')
) AS note (kind, message)
WHERE note.message IS NOT NULL
GROUP BY demo_records.position, note.kind, note.message
ORDER BY note.kind, demo_records.position;
