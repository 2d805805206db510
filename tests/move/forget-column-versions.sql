-- Debian's 15.20 marks columns with an option of its own, pg_attver, again with each ALTER TABLE; its pg_dump leaves it out.
-- The pg_dump of another build, which pg_upgrade runs, hands it on to a server that refuses it. Hence in the catalog.
UPDATE pg_attribute
SET attoptions = NULLIF(ARRAY(SELECT option FROM unnest(attoptions) AS option WHERE option NOT LIKE 'pg_attver=%'), '{}')
WHERE attoptions::text LIKE '%pg_attver=%';
