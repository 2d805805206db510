-- Stores another transcript than the record's in some recordings.
CREATE FUNCTION mix_up() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF random() < 0.3 THEN
        NEW.full_transcript := 'somebody else''s words';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER mix_up BEFORE INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION mix_up();
