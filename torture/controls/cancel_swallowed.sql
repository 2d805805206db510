-- Returns cancels and lock timeouts as the record's error instead of raising them.
-- This wraps run_pipeline(), so that an error of any stage is caught; batches and retries are unchanged.
ALTER FUNCTION run_pipeline(jsonb, uuid) RENAME TO good_pipeline;

CREATE FUNCTION run_pipeline(p_record jsonb, p_user_id uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql
AS $$
BEGIN
    RETURN good_pipeline(p_record, p_user_id);
EXCEPTION WHEN query_canceled OR lock_not_available THEN
    RETURN jsonb_build_object('success', false, 'error', SQLERRM, 'code', SQLSTATE);
END
$$;
