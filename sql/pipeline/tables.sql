-- Names the tables that an import reads and writes. It is prepared, and never run: PostgreSQL tells by it that one of them
-- has changed.
SELECT
FROM @extschema@.banks,
    @extschema@.bank_memberships,
    @extschema@.vaults,
    @extschema@.vault_memberships,
    @extschema@.recordings,
    @extschema@.vault_entries
