-- Finds which rows of a table are not there any more.
-- table: its qualified name. $1 the ids of the rows. Rows: the ids that no row has.
SELECT DISTINCT given.id
FROM pg_catalog.unnest($1) AS given (id)
WHERE NOT EXISTS (SELECT FROM @table@ AS there WHERE there.id OPERATOR(pg_catalog.=) given.id)
ORDER BY given.id
