-- Counts one attempt too many for a failure that is kept again.
CREATE FUNCTION count_again() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    NEW.attempts := NEW.attempts + 1;
    RETURN NEW;
END
$$;
CREATE TRIGGER count_again BEFORE UPDATE ON import_failures FOR EACH ROW EXECUTE FUNCTION count_again();
