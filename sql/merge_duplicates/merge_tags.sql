-- Gives the entries that stay the tags of those that are merged into them, each tag once.
-- $1 the entries that are merged, $2 for each the one that stays.
UPDATE @extschema@.vault_entries AS kept
SET local_tags = COALESCE(kept.local_tags, '{}') OPERATOR(pg_catalog.||) ARRAY(
    SELECT tag.name
    FROM pg_catalog.unnest(merged.tags) WITH ORDINALITY AS tag (name, position)
    -- Not <> ALL, which is NULL where one of the tags is.
    WHERE tag.name IS NOT NULL AND (tag.name OPERATOR(pg_catalog.=) ANY (kept.local_tags)) IS NOT TRUE
    GROUP BY tag.name
    ORDER BY pg_catalog.min(tag.position)
)
FROM (
    SELECT pair.kept_id, pg_catalog.array_agg(tag.name ORDER BY pair.position, tag.position) AS tags
    FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2))
        WITH ORDINALITY AS pair (merged_id, kept_id, position)
    JOIN @extschema@.vault_entries AS entry ON entry.id OPERATOR(pg_catalog.=) pair.merged_id
    CROSS JOIN LATERAL pg_catalog.unnest(entry.local_tags) WITH ORDINALITY AS tag (name, position)
    GROUP BY pair.kept_id
) AS merged
WHERE kept.id OPERATOR(pg_catalog.=) merged.kept_id
