-- A pipeline that takes every error for the record's. It is wrapped around run_pipeline as a whole: single calls swallow
-- what is raised anywhere within, also in the vault-entry step; batches and retries stay as they are.
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
