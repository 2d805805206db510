-- Pairs the vault entries that go with those that they are merged into.
-- A vault keeps one entry for a recording, and the recordings of a key become one.
-- The entry that stays is that of the recording that stays, else of the next oldest. An entry may also be there twice by
-- itself, in a table without the unique key.
-- $1 the recordings that go, $2 for each the one that stays. Rows: the entry that goes, the entry that stays.
SELECT entry.id, entry.first_id
FROM (
    SELECT
        entry.id,
        pair.position,
        pg_catalog.first_value(entry.id) OVER (
            PARTITION BY entry.vault_id, COALESCE(pair.kept_id, entry.recording_id)
            ORDER BY pair.position NULLS FIRST, entry.id
        ) AS first_id
    FROM @extschema@.vault_entries AS entry
    LEFT JOIN ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2))
        WITH ORDINALITY AS pair (removed_id, kept_id, position)
        ON pair.removed_id OPERATOR(pg_catalog.=) entry.recording_id
) AS entry
WHERE entry.id OPERATOR(pg_catalog.<>) entry.first_id
ORDER BY entry.position
