-- Finds rows that stay and refer to their own duplicates.
-- Moved, such a row would be its own parent, or whatever the reference means.
-- referrer: their table; referring_rows and $1, $2, $3: see referring_rows.sql. Rows: their ids.
SELECT referrer.id
FROM @referrer@ AS referrer, @referring_rows@
    AND referrer.id OPERATOR(pg_catalog.=) pair.kept_id
ORDER BY referrer.id
