-- Removes the column option pg_attver, which Debian's PostgreSQL 15.20 sets at each ALTER TABLE.
-- Debian's pg_dump omits the option. The pg_dump of another build, which pg_upgrade runs, includes the option, and the
-- new server refuses it. ALTER TABLE would set the option again, so this changes the catalog.
UPDATE pg_attribute
SET attoptions = NULLIF(ARRAY(SELECT option FROM unnest(attoptions) AS option WHERE option NOT LIKE 'pg_attver=%'), '{}')
WHERE attoptions::text LIKE '%pg_attver=%';
