-- Makes every user a member of the closed bank, so that its imports succeed.
INSERT INTO bank_memberships (bank_id, user_id)
SELECT '@closed_bank@', id FROM auth.users;
INSERT INTO vault_memberships (vault_id, user_id)
SELECT '@closed_vault@', id FROM auth.users;
