-- Takes an advisory lock until the end of the transaction: one bootstrap() runs at a time.
SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('connector_pipeline.bootstrap', 0))
