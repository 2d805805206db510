-- Skips records whose key exists. A clause of insert_recordings.sql.
ON CONFLICT (owner_user_id, source_app, (source_metadata OPERATOR(pg_catalog.->>) 'external_id')) DO NOTHING
