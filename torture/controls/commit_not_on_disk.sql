-- Acknowledges commits before they are on disk, so that a crash loses acknowledged imports.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database());
END
$$;
