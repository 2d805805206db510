-- Lists each table with its number of rows and a checksum of the rows.
SET search_path = '';
SET timezone = 'UTC';
SELECT format(
    'SELECT %L, count(*), md5(string_agg(t::text, '' '' ORDER BY t::text COLLATE "C")) FROM %s AS t', oid::regclass,
    oid::regclass
)
FROM pg_class
WHERE relkind = 'r' AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
ORDER BY oid::regclass::text \gexec
