-- Checks whether an index that serves exists, under any name.
-- $1 schema, $2 the index's name in needed_keys.sql.
SELECT EXISTS (SELECT FROM (@fitting_indexes@) AS fitting WHERE fitting.index_name = $2 AND fitting.serves)
