-- Keeps everybody else from writing the two tables. Reading goes on.
-- What would refer to a recording or an entry waits too: a row that referred to a duplicate after the others have been
-- moved would be deleted with the duplicate, where its foreign key cascades.
LOCK TABLE @extschema@.recordings, @extschema@.vault_entries IN EXCLUSIVE MODE
