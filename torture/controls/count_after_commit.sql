-- Commits a chunk before its count: a backfill stopped in between loses the count.
CREATE OR REPLACE PROCEDURE connector_pipeline.backfill(
    p_query text, p_user_id uuid DEFAULT NULL, p_batch_size integer DEFAULT 1000
)
LANGUAGE plpgsql
AS $$
DECLARE
    record jsonb;
    chunk jsonb[] := '{}';
    result jsonb;
    progress jsonb;
BEGIN
    progress := connector_pipeline.start_backfill(connector_pipeline.count_records(p_query), p_user_id);
    COMMIT;
    FOR record IN EXECUTE p_query LOOP
        chunk := chunk || record;
        IF cardinality(chunk) = p_batch_size THEN
            result := run_pipeline_batch(to_jsonb(chunk), p_user_id);
            COMMIT;
            PERFORM pg_sleep(0.02);
            progress := connector_pipeline.count_chunk(chunk[1], result, progress);
            COMMIT;
            chunk := '{}';
        END IF;
    END LOOP;
    PERFORM connector_pipeline.finish_backfill(progress, NULL);
END
$$;
