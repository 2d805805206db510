-- A pipeline that does not answer now and then, as where two wait for each other and nobody sees it.
ALTER FUNCTION run_pipeline(jsonb, uuid) RENAME TO good_pipeline;

CREATE FUNCTION run_pipeline(p_record jsonb, p_user_id uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql
AS $$
BEGIN
    IF random() < 0.01 THEN
        PERFORM pg_sleep(3600);
    END IF;
    RETURN good_pipeline(p_record, p_user_id);
END
$$;
