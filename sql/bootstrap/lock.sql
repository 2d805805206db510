-- One bootstrap() at a time: a second one waits, and then finds what the first has made. Held to the end of the
-- transaction.
SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('connector_pipeline.bootstrap', 0))
