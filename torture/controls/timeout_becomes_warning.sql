-- What a vault-entry step would tell that takes a timeout for a reason to do without the entry. The step is compiled: so
-- this is wrapped around run_pipeline as a whole, takes a timeout anywhere within for one of the entry, and imports once
-- more without it. Batches and retries stay as they are.
ALTER FUNCTION run_pipeline(jsonb, uuid) RENAME TO good_pipeline;

CREATE FUNCTION run_pipeline(p_record jsonb, p_user_id uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql
AS $$
BEGIN
    RETURN good_pipeline(p_record, p_user_id);
EXCEPTION WHEN query_canceled OR lock_not_available THEN
    -- A vault that is not there makes a warning.
    RETURN good_pipeline(p_record || jsonb_build_object('vault_id', gen_random_uuid()), p_user_id);
END
$$;
