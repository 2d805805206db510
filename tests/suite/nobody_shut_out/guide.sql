-- What applications have that makes an adoption guide stop: functions of our names, an index of our name, other types,
-- columns that take no NULL. Run by the owner of the tables, after ../application.sql.

-- As such functions were written: any user gets any other user's counts.
CREATE FUNCTION get_import_counts(p_user_id uuid) RETURNS TABLE (source_app text, call_count bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT source_app::text, count(*) FROM recordings WHERE owner_user_id = p_user_id GROUP BY 1
$$;

-- Its signups make a bank by a function of their own.
DROP FUNCTION welcome() CASCADE;
CREATE FUNCTION ensure_personal_bank(p_user_id uuid) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
    bank uuid := (SELECT bank_id FROM bank_memberships WHERE user_id = p_user_id AND role = 'bank_owner' LIMIT 1);
    vault uuid;
BEGIN
    IF bank IS NULL THEN
        INSERT INTO banks (name, type) VALUES ('Bank of ' || p_user_id, 'personal') RETURNING id INTO bank;
        INSERT INTO bank_memberships (bank_id, user_id, role) VALUES (bank, p_user_id, 'bank_owner');
        INSERT INTO vaults (bank_id, name, vault_type) VALUES (bank, 'Vault', 'personal') RETURNING id INTO vault;
        INSERT INTO vault_memberships (vault_id, user_id, role) VALUES (vault, p_user_id, 'vault_owner');
    END IF;
    RETURN bank;
END
$$;
CREATE FUNCTION sign_up() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS
    $$ BEGIN PERFORM ensure_personal_bank(NEW.id); RETURN NEW; END $$;
-- A procedure, and one with other arguments.
CREATE PROCEDURE retry_failed_imports() LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION start_sync_job(p_name text, p_priority integer DEFAULT 5) RETURNS integer LANGUAGE sql AS 'SELECT 1';

-- The name that PostgreSQL gives it is ours.
ALTER TABLE vault_entries ADD UNIQUE (vault_id, recording_id);

-- Numbers of rows, where vendors' ids are text.
ALTER TABLE sync_jobs DROP COLUMN recording_ids;
ALTER TABLE sync_jobs
    ADD recording_ids integer[],
    ADD synced_ids integer[] NOT NULL DEFAULT '{}',
    ADD failed_ids integer[] NOT NULL DEFAULT '{}';
ALTER TABLE sync_jobs ALTER source_app SET NOT NULL, ADD CHECK (type IN ('sync', 'backfill'));

-- Defaults, and columns without.
ALTER TABLE recordings
    ALTER duration SET DEFAULT 0,
    ALTER duration SET NOT NULL,
    ALTER global_tags SET DEFAULT '{}',
    ALTER global_tags SET NOT NULL,
    ADD summary text NOT NULL DEFAULT '';
