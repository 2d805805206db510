-- Joins the rows that refer to one that goes with the row that stays.
-- This is what the statements about one foreign key share.
-- table: the one that is referred to; matches: the condition that a row refers to one that goes.
-- $1 the rows that go, $2 for each the one that stays, $3 rows that refer and go themselves, which a unique key may keep from
-- being moved.
ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS pair (removed_id, kept_id)
JOIN @table@ AS removed ON removed.id OPERATOR(pg_catalog.=) pair.removed_id
JOIN @table@ AS kept ON kept.id OPERATOR(pg_catalog.=) pair.kept_id
WHERE @matches@
