-- Creates an application that is older than connector_pipeline, as the owner of its tables.
-- Its columns differ in names, types and order; it has its own policies, triggers and indexes.

CREATE TYPE vault_role AS ENUM ('vault_owner', 'editor', 'viewer');
CREATE TYPE vault_kind AS ENUM ('personal', 'team', 'archive');

CREATE TABLE banks (
    slug text UNIQUE,
    name varchar(200) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    type text NOT NULL CHECK (type IN ('personal', 'business')),
    plan text NOT NULL DEFAULT 'free',
    id uuid PRIMARY KEY DEFAULT gen_random_uuid()
);

CREATE TABLE bank_memberships (
    user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
    role text NOT NULL CONSTRAINT known_role CHECK (role IN ('bank_owner', 'bank_admin', 'bank_member')),
    bank_id uuid NOT NULL REFERENCES banks (id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, bank_id)
);

CREATE TABLE vaults (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    colour text,
    vault_type vault_kind NOT NULL DEFAULT 'team',
    bank_id uuid NOT NULL REFERENCES banks (id) ON DELETE CASCADE,
    name text NOT NULL
);

CREATE TABLE vault_memberships (
    vault_id uuid NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
    role vault_role NOT NULL,
    PRIMARY KEY (vault_id, user_id)
);

-- Without summary, audio_url, video_url and recording_end_time.
CREATE TABLE recordings (
    legacy_id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    title varchar(500) NOT NULL,
    source_metadata jsonb DEFAULT '{}',
    source_app varchar(50),
    created_at timestamptz NOT NULL DEFAULT now(),
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    sentiment numeric NOT NULL DEFAULT 0,
    full_transcript text,
    duration bigint CONSTRAINT not_negative CHECK (duration >= 0),
    global_tags varchar[],
    recording_start_time timestamptz,
    owner_user_id uuid NOT NULL REFERENCES auth.users (id),
    bank_id uuid NOT NULL REFERENCES banks (id),
    words integer GENERATED ALWAYS AS (cardinality(string_to_array(full_transcript, ' '))) STORED,
    synced_at timestamp,
    updated_at timestamptz NOT NULL DEFAULT now()
)
WITH (fillfactor = 90);
COMMENT ON TABLE recordings IS 'Calls of our customers';
CREATE INDEX transcript_search ON recordings USING gin (to_tsvector('simple', full_transcript));
CREATE INDEX recordings_by_owner ON recordings (owner_user_id, created_at DESC);

-- Without its unique key.
CREATE TABLE vault_entries (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    recording_id uuid NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
    vault_id uuid NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    pinned boolean NOT NULL DEFAULT false,
    local_tags text[],
    notes text
);

-- Without synced_ids, failed_ids, skipped_count, error and metadata.
CREATE TABLE sync_jobs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    status varchar(30) NOT NULL DEFAULT 'pending',
    user_id uuid NOT NULL REFERENCES auth.users (id),
    type text NOT NULL,
    source_app text,
    recording_ids text[],
    progress_total bigint,
    progress_current bigint,
    priority integer NOT NULL DEFAULT 5,
    started_at timestamptz,
    completed_at timestamptz,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);

CREATE TABLE audit_log (at timestamptz NOT NULL DEFAULT now(), what text NOT NULL, recording_id uuid NOT NULL);

-- Triggers with unqualified names, as many applications write them: the caller's search_path has to find these.
CREATE FUNCTION note_recording() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_log (what, recording_id) VALUES (TG_OP, COALESCE(NEW.id, OLD.id));
    RETURN NULL;
END
$$;
CREATE TRIGGER audit AFTER INSERT OR DELETE ON recordings FOR EACH ROW EXECUTE FUNCTION note_recording();

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON recordings FOR EACH ROW EXECUTE FUNCTION touch();

-- Makes a bank and a vault for each new user. The owner of auth.users creates the trigger.
CREATE FUNCTION welcome() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
    bank uuid;
    vault uuid;
BEGIN
    INSERT INTO banks (name, type) VALUES (COALESCE(NEW.email, 'My bank'), 'personal') RETURNING id INTO bank;
    INSERT INTO bank_memberships (bank_id, user_id, role) VALUES (bank, NEW.id, 'bank_owner');
    INSERT INTO vaults (bank_id, name, vault_type) VALUES (bank, 'My vault', 'personal') RETURNING id INTO vault;
    INSERT INTO vault_memberships (vault_id, user_id, role) VALUES (vault, NEW.id, 'vault_owner');
    RETURN NULL;
END
$$;

-- The policies call SECURITY DEFINER functions, which prevents recursion between the policies of several tables.
CREATE FUNCTION my_banks() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
    $$ SELECT bank_id FROM bank_memberships WHERE user_id = auth.uid() $$;
CREATE FUNCTION my_vaults() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
    $$ SELECT vault_id FROM vault_memberships WHERE user_id = auth.uid() $$;
ALTER TABLE banks ENABLE ROW LEVEL SECURITY;
ALTER TABLE bank_memberships ENABLE ROW LEVEL SECURITY;
ALTER TABLE vaults ENABLE ROW LEVEL SECURITY;
ALTER TABLE vault_memberships ENABLE ROW LEVEL SECURITY;
ALTER TABLE recordings ENABLE ROW LEVEL SECURITY;
ALTER TABLE vault_entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE sync_jobs ENABLE ROW LEVEL SECURITY;
CREATE POLICY "Members see their banks" ON banks FOR SELECT TO authenticated USING (id IN (SELECT my_banks()));
CREATE POLICY "Own memberships" ON bank_memberships FOR SELECT TO authenticated USING (user_id = auth.uid());
CREATE POLICY "Members see their vaults" ON vaults FOR SELECT TO authenticated USING (id IN (SELECT my_vaults()));
CREATE POLICY "Own vault memberships" ON vault_memberships FOR SELECT TO authenticated USING (user_id = auth.uid());
CREATE POLICY "Own recordings" ON recordings TO authenticated USING (owner_user_id = auth.uid());
CREATE POLICY "No import into banks of others" ON recordings AS RESTRICTIVE FOR INSERT TO authenticated
    WITH CHECK (bank_id IN (SELECT my_banks()));
CREATE POLICY "Entries of my vaults" ON vault_entries TO authenticated USING (vault_id IN (SELECT my_vaults()));
CREATE POLICY "Own jobs" ON sync_jobs TO authenticated USING (user_id = auth.uid());
GRANT SELECT ON banks, bank_memberships, vaults, vault_memberships TO authenticated;
GRANT SELECT, INSERT, UPDATE (title, full_transcript), DELETE ON recordings TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON vault_entries, sync_jobs TO authenticated;
GRANT INSERT ON audit_log TO authenticated;
GRANT ALL ON banks, bank_memberships, vaults, vault_memberships, recordings, vault_entries, sync_jobs, audit_log TO service_role;
