-- Gives the entries that stay the notes of those that are merged into them, each note once.
-- $1 the entries that are merged, $2 for each the one that stays.
UPDATE @extschema@.vault_entries AS kept
SET notes = pg_catalog.concat_ws(
    E'\n\n', CASE WHEN kept.notes OPERATOR(pg_catalog.<>) '' THEN kept.notes END, merged.notes
)
FROM (
    SELECT note.kept_id, pg_catalog.string_agg(note.content, E'\n\n' ORDER BY note.position) AS notes
    FROM (
        SELECT pair.kept_id, entry.notes AS content, pg_catalog.min(pair.position) AS position
        FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2))
            WITH ORDINALITY AS pair (merged_id, kept_id, position)
        JOIN @extschema@.vault_entries AS entry ON entry.id OPERATOR(pg_catalog.=) pair.merged_id
        JOIN @extschema@.vault_entries AS kept ON kept.id OPERATOR(pg_catalog.=) pair.kept_id
        WHERE entry.notes OPERATOR(pg_catalog.<>) ''
            AND (entry.notes OPERATOR(pg_catalog.=) kept.notes) IS NOT TRUE
        GROUP BY pair.kept_id, entry.notes
    ) AS note
    GROUP BY note.kept_id
) AS merged
WHERE kept.id OPERATOR(pg_catalog.=) merged.kept_id
