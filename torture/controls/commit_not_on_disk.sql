-- A server that tells of a commit before it is on disk: a crash loses some that were acknowledged.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database());
END
$$;
