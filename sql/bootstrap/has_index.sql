-- $1 schema, $2 the index's name in needed_keys.sql. An index that serves may have any other.
SELECT EXISTS (SELECT FROM (@fitting_indexes@) AS fitting WHERE fitting.index_name = $2 AND fitting.serves)
