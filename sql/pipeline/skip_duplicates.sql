-- The clause of insert_recordings.sql that lets the dedup index skip a key that is there.
ON CONFLICT (owner_user_id, source_app, (source_metadata OPERATOR(pg_catalog.->>) 'external_id')) DO NOTHING
