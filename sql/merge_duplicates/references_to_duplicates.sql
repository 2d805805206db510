-- Counts the rows that still refer to one that goes.
-- referrer: their table; referring_rows and $1, $2, $3: see referring_rows.sql.
-- Rows, one: how many, the beginning of the first of them, the partition that it or another of them is in.
SELECT
    pg_catalog.count(*),
    pg_catalog.left(pg_catalog.min(pg_catalog.to_jsonb(referrer.*)::pg_catalog.text), 200),
    pg_catalog.min(referrer.tableoid)
FROM @referrer@ AS referrer, @referring_rows@
