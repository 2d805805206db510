SELECT * FROM recordings WHERE id <> @own@;
SELECT * FROM recordings WHERE owner_user_id = @alice@ FOR UPDATE;
SELECT * FROM vault_entries WHERE recording_id = @recording@;
SELECT * FROM banks WHERE id = @bank@;
SELECT * FROM vaults WHERE bank_id = @bank@;
SELECT * FROM bank_memberships WHERE user_id = @alice@;
SELECT * FROM vault_memberships WHERE user_id = @alice@;
SELECT * FROM import_sources WHERE user_id = @alice@ FOR SHARE;
SELECT * FROM sync_jobs WHERE id = @job@ FOR UPDATE;
SELECT * FROM import_failures WHERE user_id IS DISTINCT FROM @bob@;
SELECT * FROM auth.users;

DELETE FROM recordings WHERE id = @recording@ RETURNING *;
DELETE FROM recordings WHERE owner_user_id <> @bob@;
DELETE FROM vault_entries WHERE vault_id = @vault@;
DELETE FROM banks WHERE id = @own_bank@;
DELETE FROM bank_memberships WHERE user_id = @bob@;
DELETE FROM import_sources WHERE user_id = @alice@;
DELETE FROM sync_jobs WHERE id = @job@;
DELETE FROM import_failures WHERE user_id = @alice@;

UPDATE recordings SET title = 'mine' WHERE id = @recording@;
UPDATE recordings SET title = 'mine' FROM sync_jobs WHERE sync_jobs.id = @job@;
UPDATE recordings SET owner_user_id = @alice@ WHERE id = @own@;
UPDATE recordings SET owner_user_id = @bob@ WHERE id = @recording@;
UPDATE recordings SET bank_id = @bank@ WHERE id = @own@;
UPDATE recordings SET source_metadata = '{"external_id": "x"}' WHERE id = @own@;
UPDATE recordings SET id = @recording@ WHERE id = @own@;
UPDATE vault_entries SET notes = 'mine' WHERE vault_id = @vault@;
UPDATE vault_entries SET vault_id = @vault@ WHERE recording_id = @own@;
UPDATE vault_entries SET recording_id = @recording@ WHERE recording_id = @own@;
UPDATE banks SET type = 'business' WHERE id = @own_bank@;
UPDATE banks SET id = @bank@ WHERE id = @own_bank@;
UPDATE vaults SET bank_id = @bank@ WHERE id = @own_vault@;
UPDATE bank_memberships SET bank_id = @bank@ WHERE user_id = @bob@;
UPDATE bank_memberships SET role = 'admin' WHERE user_id = @bob@;
UPDATE vault_memberships SET vault_id = @vault@ WHERE user_id = @bob@;
UPDATE vault_memberships SET role = 'admin' WHERE user_id = @bob@;
UPDATE import_sources SET error_message = 'mine' WHERE user_id = @alice@;
UPDATE import_sources SET user_id = @alice@, source_app = 'zoom' WHERE user_id = @bob@;
UPDATE sync_jobs SET status = 'failed' WHERE id = @job@;
UPDATE sync_jobs SET user_id = @alice@ WHERE user_id = @bob@;
UPDATE import_failures SET error = 'mine' WHERE user_id = @alice@;
UPDATE import_failures SET user_id = @alice@ WHERE user_id = @bob@;
UPDATE import_failures SET user_id = NULL WHERE user_id = @bob@;

INSERT INTO recordings (bank_id, owner_user_id, title) VALUES (@bank@, @alice@, 'for her');
INSERT INTO recordings (bank_id, owner_user_id, title) VALUES (@bank@, @bob@, 'into her bank');
INSERT INTO recordings (bank_id, owner_user_id, title) VALUES (@own_bank@, @alice@, 'into my bank, for her');
INSERT INTO recordings (id, bank_id, owner_user_id, title) VALUES (@recording@, @bank@, @alice@, 'in its place')
    ON CONFLICT (id) DO UPDATE SET title = 'mine';
INSERT INTO recordings (id, bank_id, owner_user_id, title) VALUES (@recording@, @own_bank@, @bob@, 'in its place')
    ON CONFLICT (id) DO UPDATE SET title = 'mine';
INSERT INTO vault_entries (vault_id, recording_id) VALUES (@vault@, @own@);
INSERT INTO vault_entries (vault_id, recording_id) VALUES (@vault@, @recording@)
    ON CONFLICT (vault_id, recording_id) DO UPDATE SET notes = 'mine';
INSERT INTO banks (name) VALUES ('mine');
INSERT INTO vaults (bank_id, name) VALUES (@bank@, 'mine');
INSERT INTO vaults (bank_id, name) VALUES (@own_bank@, 'mine');
INSERT INTO bank_memberships (bank_id, user_id, role) VALUES (@bank@, @bob@, 'owner');
INSERT INTO bank_memberships (bank_id, user_id, role) VALUES (@own_bank@, @alice@, 'owner');
INSERT INTO vault_memberships (vault_id, user_id, role) VALUES (@vault@, @bob@, 'owner');
INSERT INTO import_sources (user_id, source_app) VALUES (@alice@, 'zoom');
INSERT INTO import_sources (user_id, source_app) VALUES (@alice@, 'fathom')
    ON CONFLICT (user_id, source_app) DO UPDATE SET error_message = 'mine';
INSERT INTO sync_jobs (user_id) VALUES (@alice@);
INSERT INTO sync_jobs (id, user_id) VALUES (@job@, @bob@) ON CONFLICT (id) DO UPDATE SET status = 'failed';
INSERT INTO import_failures (user_id, record, error, code) VALUES (@alice@, '{}', '', '');
INSERT INTO import_failures (user_id, record, error, code) VALUES (NULL, '{}', '', '');
INSERT INTO auth.users (email) VALUES ('mine@example.com');

MERGE INTO import_sources AS source
    USING (SELECT @alice@::uuid AS user_id) AS given ON given.user_id = source.user_id AND source.source_app = 'fathom'
    WHEN MATCHED THEN UPDATE SET error_message = 'mine'
    WHEN NOT MATCHED THEN INSERT (user_id, source_app) VALUES (given.user_id, 'zoom');
MERGE INTO recordings USING (SELECT) AS given ON id = @recording@ WHEN MATCHED THEN DELETE;
