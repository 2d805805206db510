-- Installs the extension in a new database, as superuser, for the database owner.
CREATE EXTENSION connector_pipeline;
SELECT connector_pipeline.bootstrap_auth();
SET ROLE app_owner;
SELECT connector_pipeline.bootstrap();
RESET ROLE;
-- Objects of the application.
SET ROLE app_owner;
ALTER TABLE recordings ADD COLUMN language text DEFAULT 'en';
CREATE INDEX recordings_words ON recordings USING gin (to_tsvector('english', full_transcript));
CREATE POLICY recordings_long ON recordings AS RESTRICTIVE FOR UPDATE TO authenticated USING (duration > 0);
GRANT SELECT ON vaults TO reader;
