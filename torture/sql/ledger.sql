-- Creates the harness's own tables in the database under test, as the table owner.
CREATE SCHEMA torture;
GRANT USAGE ON SCHEMA torture TO PUBLIC;

-- Stores the result of a call, inserted by the statement that made the call.
-- So the row exists if and only if the call was committed, even if the connection was lost before the client knew.
CREATE TABLE torture.ledger (
    operation bigint PRIMARY KEY,
    result jsonb NOT NULL
);
GRANT SELECT, INSERT ON torture.ledger TO PUBLIC;

-- Stores the records that backfills read.
CREATE TABLE torture.archive (
    n integer PRIMARY KEY,
    record jsonb NOT NULL
);
