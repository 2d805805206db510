-- Puts some vault entries into another tenant's vault.
CREATE FUNCTION go_astray() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
AS $$
BEGIN
    IF random() < 0.3 THEN
        NEW.vault_id := (SELECT id FROM vaults WHERE name = 'Foreign');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER go_astray BEFORE INSERT ON vault_entries FOR EACH ROW EXECUTE FUNCTION go_astray();
