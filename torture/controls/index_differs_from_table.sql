-- An index that says other than its table: its function's answers change, as sort orders do with a new libc.
CREATE FUNCTION changes(p_id uuid) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    RETURN random();
END
$$;
CREATE INDEX recordings_changes_idx ON recordings (changes(id));
