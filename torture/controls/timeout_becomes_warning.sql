-- Imports without a vault entry and with a warning after a cancel or lock timeout.
-- The vault-entry stage is compiled, so this wraps run_pipeline() and treats a timeout of any stage as one of the
-- entry. Batches and retries are unchanged.
ALTER FUNCTION run_pipeline(jsonb, uuid) RENAME TO good_pipeline;

CREATE FUNCTION run_pipeline(p_record jsonb, p_user_id uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql
AS $$
BEGIN
    RETURN good_pipeline(p_record, p_user_id);
EXCEPTION WHEN query_canceled OR lock_not_available THEN
    -- A vault that does not exist gives a warning.
    RETURN good_pipeline(p_record || jsonb_build_object('vault_id', gen_random_uuid()), p_user_id);
END
$$;
