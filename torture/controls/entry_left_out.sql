-- Recordings whose vault entry is gone, and nobody says so.
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
