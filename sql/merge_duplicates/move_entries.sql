-- Moves vault entries to the recordings that stay, also where no foreign key says that entries refer to recordings.
-- $1 the recordings that go, $2 for each the one that stays, $3 the entries that are merged into others.
UPDATE @extschema@.vault_entries AS entry
SET recording_id = pair.kept_id
FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS pair (removed_id, kept_id)
WHERE entry.recording_id OPERATOR(pg_catalog.=) pair.removed_id
    AND entry.id OPERATOR(pg_catalog.<>) ALL ($3)
