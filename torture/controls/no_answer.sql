-- Never answers some calls, as with a deadlock that PostgreSQL does not detect.
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
