-- Returns isDuplicate false on cancel and lock timeout instead of raising the error.
-- This wraps check_duplicate() only: the look-up of imports is compiled and unchanged.
ALTER FUNCTION check_duplicate(uuid, text, text) RENAME TO good_check;

CREATE FUNCTION check_duplicate(p_user_id uuid, p_source_app text, p_external_id text) RETURNS jsonb
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN good_check(p_user_id, p_source_app, p_external_id);
EXCEPTION WHEN query_canceled OR lock_not_available THEN
    RETURN jsonb_build_object('isDuplicate', false);
END
$$;
