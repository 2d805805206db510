-- The functions for recordings from before the dedup index: src/setup/find_duplicates.rs, src/setup/merge_duplicates.rs.
-- Both work on any adopted schema before bootstrap(), which refuses as long as there are duplicates.

CREATE FUNCTION connector_pipeline.duplicates()
RETURNS TABLE (owner_user_id uuid, source_app text, external_id text, recording_ids uuid[], bank_ids uuid[])
LANGUAGE c
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'duplicates_wrapper';

-- Takes no SET clause: the application's triggers run with the caller's search_path.
CREATE FUNCTION connector_pipeline.merge_duplicates(p_dry_run boolean DEFAULT true)
RETURNS TABLE (kept_id uuid, removed_id uuid, removed_row jsonb, entries_moved integer, entries_merged jsonb)
LANGUAGE c
AS 'MODULE_PATHNAME', 'merge_duplicates_wrapper';
