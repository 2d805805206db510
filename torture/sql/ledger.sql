-- What the harness keeps in the database under test, beside the product's tables. Run by the owner of the tables.
CREATE SCHEMA torture;
GRANT USAGE ON SCHEMA torture TO PUBLIC;

-- The result of a call, noted by the statement that made it: it is here if, and only if, what the call did was committed,
-- also where the connection died before anybody was told.
CREATE TABLE torture.ledger (
    operation bigint PRIMARY KEY,
    result jsonb NOT NULL
);
GRANT SELECT, INSERT ON torture.ledger TO PUBLIC;

-- What backfills read.
CREATE TABLE torture.archive (
    n integer PRIMARY KEY,
    record jsonb NOT NULL
);
