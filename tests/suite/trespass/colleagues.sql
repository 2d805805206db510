UPDATE recordings SET title = 'mine' WHERE id IN (@seen@, @unseen@);
DELETE FROM recordings WHERE id IN (@seen@, @unseen@);
SELECT * FROM recordings WHERE id = @unseen@;

UPDATE vault_entries SET notes = 'mine';
DELETE FROM vault_entries;
INSERT INTO vault_entries (vault_id, recording_id) VALUES (@open@, @own@);
INSERT INTO vault_entries (vault_id, recording_id) VALUES (@closed@, @own@);
INSERT INTO vault_entries (vault_id, recording_id) VALUES (@open@, @unseen@);

UPDATE bank_memberships SET role = 'owner' WHERE user_id = @bob@;
UPDATE vault_memberships SET role = 'owner' WHERE user_id = @bob@;
INSERT INTO vault_memberships (vault_id, user_id) VALUES (@closed@, @bob@);
INSERT INTO vault_memberships (vault_id, user_id, role) VALUES (@open@, @bob@, 'owner')
    ON CONFLICT (vault_id, user_id) DO UPDATE SET role = 'owner';
DELETE FROM bank_memberships WHERE user_id = @alice@;
DELETE FROM vault_memberships WHERE user_id = @alice@;
UPDATE vaults SET bank_id = (SELECT ensure_personal_bank()) WHERE id = @open@;
UPDATE banks SET type = 'personal' WHERE id = @bank@;
DELETE FROM vaults WHERE id = @open@;
DELETE FROM banks WHERE id = @bank@;

INSERT INTO recordings (bank_id, owner_user_id, title) VALUES (@bank@, @alice@, 'for a colleague');
UPDATE recordings SET owner_user_id = @alice@ WHERE id = @own@;
