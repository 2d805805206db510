-- Creates an index that differs from its table, because its function's results change.
-- A new libc has the same effect on indexes when its sort orders change.
CREATE FUNCTION changes(p_id uuid) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    RETURN random();
END
$$;
CREATE INDEX recordings_changes_idx ON recordings (changes(id));
