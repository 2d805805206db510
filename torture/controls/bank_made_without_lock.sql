-- Makes a personal bank without a lock, so that two callers may both find none.
ALTER FUNCTION run_pipeline(jsonb, uuid) RENAME TO good_pipeline;

CREATE FUNCTION make_bank(p_owner uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
    bank uuid;
    vault uuid;
BEGIN
    IF EXISTS (SELECT FROM bank_memberships WHERE user_id = p_owner) THEN
        RETURN;
    END IF;
    -- Widens the race: owners are few, and each lacks a bank only once.
    PERFORM pg_sleep(0.01);
    INSERT INTO banks (name, type) VALUES ('Personal', 'personal') RETURNING id INTO bank;
    INSERT INTO bank_memberships (bank_id, user_id, role) VALUES (bank, p_owner, 'owner');
    INSERT INTO vaults (bank_id, name, vault_type) VALUES (bank, 'Personal', 'personal') RETURNING id INTO vault;
    INSERT INTO vault_memberships (vault_id, user_id, role) VALUES (vault, p_owner, 'owner');
END
$$;

CREATE FUNCTION run_pipeline(p_record jsonb, p_user_id uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM make_bank((p_record ->> 'owner_user_id')::uuid);
    RETURN good_pipeline(p_record, p_user_id);
END
$$;
