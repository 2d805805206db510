-- Recordings that go into another tenant's bank, as where a batch confuses the places it has looked up.
CREATE FUNCTION go_astray() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
AS $$
BEGIN
    IF random() < 0.3 THEN
        NEW.bank_id := (SELECT id FROM banks WHERE name = 'Foreign');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER go_astray BEFORE INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION go_astray();
