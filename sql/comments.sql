-- Describes each function for \df+ and PostgREST's OpenAPI. First line: at most 70 characters.

COMMENT ON SCHEMA connector_pipeline IS 'Administration of the extension connector_pipeline';

COMMENT ON FUNCTION @extschema@.run_pipeline(jsonb, uuid) IS
'Imports one connector record, or skips a duplicate.
A record is a duplicate if a recording has its owner, source and external_id. Otherwise the record is checked, and its recording and vault entry are inserted.
p_record: a connector record, a JSON object. p_user_id: the owner; if NULL, the record''s owner_user_id, else the JWT''s subject.
Returns {"success": true, "recordingId"}, or {"success": false, "skipped": true, "recordingId"} for a duplicate, or {"success": false, "error", "code"} with a SQLSTATE; also "warning" if the vault entry could not be created, and "ignoredFields" for unknown keys.
Raises only errors that are not about the record: cancel and timeouts, shutdown, serialization failures and deadlocks, exhausted resources, internal errors.';

COMMENT ON FUNCTION @extschema@.insert_recording(jsonb, uuid) IS
'Imports one connector record, or raises an error.
p_record, p_user_id: as for run_pipeline(). Returns {"id"}.
Raises 23505 for a duplicate, 22023 for an invalid record, 42501 for the bank or the records of another user, and any error of the INSERT.';

COMMENT ON FUNCTION @extschema@.check_duplicate(uuid, text, text) IS
'Checks whether an external id is imported already.
p_user_id: the owner; if NULL, the JWT''s subject. p_source_app, p_external_id: exactly as imported.
Returns {"isDuplicate": true, "existingRecordingId"} with the id of the oldest recording that the caller may see, or {"isDuplicate": false}. If the look-up fails: false, with a WARNING; the dedup index still guards the import.
Raises 22004 if p_source_app or p_external_id is NULL.';

COMMENT ON FUNCTION @extschema@.check_duplicates(uuid, text, text[]) IS
'Checks which external ids are imported already.
p_user_id: the owner; if NULL, the JWT''s subject. p_source_app: exactly as imported. p_external_ids: the ids to check.
Returns one row for each id, in the same order, with the oldest recording that the caller may see. If the look-up fails: no duplicates, with a WARNING.
Raises 22004 if p_source_app or p_external_ids is NULL.';

COMMENT ON FUNCTION @extschema@.get_import_counts(uuid) IS
'Counts the recordings that a user has from each source.
p_user_id: the user; if NULL, the JWT''s subject.
Raises 42501 unless the caller is that user, a superuser, a role with BYPASSRLS or the owner of recordings.';

COMMENT ON FUNCTION @extschema@.ensure_personal_bank(uuid) IS
'Returns the id of a user''s personal bank; creates a missing one.
Creates the bank with its vault and the memberships, and only once under concurrent calls.
p_user_id: the user; if NULL, the JWT''s subject.
Raises 42501 if the caller may not act for the user, 23503 if the user does not exist.';

COMMENT ON FUNCTION connector_pipeline.bootstrap() IS
'Creates the tables of the pipeline, or adopts existing ones.
The tables are in the extension''s schema. To an existing table only missing columns and unique indexes that the pipeline needs are added. Idempotent.
Returns each object with an action: created, exists, narrowed (privileges that an earlier version granted), or left to its owner (a policy of an existing table).
Raises 55000 if auth.users, auth.uid() or one of the API''s roles is missing (see bootstrap_auth()), and if existing objects are not compatible: DETAIL lists them all, HINT has the SQL to run, and nothing is changed.';

COMMENT ON FUNCTION connector_pipeline.bootstrap_auth() IS
'Creates the schema auth and the API''s roles, on plain PostgreSQL only.
As on Supabase, the schema has users and uid(), and the roles are anon, authenticated and service_role. Returns each object with an action.
Raises 42P06 if the schema auth exists.';

COMMENT ON FUNCTION @extschema@.run_pipeline_batch(jsonb, uuid, uuid, boolean) IS
'Imports many connector records, each as run_pipeline() does.
A record that fails does not affect the others, and is kept in import_failures.
p_records: an array of connector records. p_user_id: the owner of all records; if NULL, each record''s owner_user_id, else the JWT''s subject. p_sync_job_id: the sync job to add the counts to. p_dry_run: true to get the result without changing anything.
Returns {"total", "imported", "skipped", "failed", "results": [...]}; each result is that of run_pipeline() with "index" (from 0) and "externalId", in the order of the records.
Raises 22023 if p_records is not an array or the sync job does not exist, 22004 if p_records or p_dry_run is NULL, and the errors that run_pipeline() raises.';

COMMENT ON FUNCTION @extschema@.start_sync_job(text, text[], uuid) IS
'Opens a sync job.
p_source_app: the source. p_external_ids: the ids that the connector intends to import. p_user_id: the user; if NULL, the JWT''s subject.
Returns the id of the job, for run_pipeline_batch() and finish_sync_job().
Raises 22004 if p_source_app is NULL, 22023 if it is blank or there is no user, 42501 for the job of another user.';

COMMENT ON FUNCTION @extschema@.finish_sync_job(uuid, text) IS
'Closes a sync job, and updates the import source of its user.
Sets last_sync_at and error_message of the import source.
p_sync_job_id: the job. p_error: the error that ended the run, if any.
Returns {"status": "completed" | "completed_with_errors" | "failed", "imported", "skipped", "failed", "message"}, the message like "8 new, 3 skipped, 1 failed".
Raises 22023 if the caller has no such sync job.';

COMMENT ON FUNCTION @extschema@.retry_failed_imports(text, uuid, integer) IS
'Imports failed records again, from import_failures.
Failures whose recording then exists are deleted.
p_source_app: only this source; if NULL, all. p_user_id: the user; if NULL, the JWT''s subject. p_limit: the maximum number of failures, those tried longest ago first.
Returns a batch result, as run_pipeline_batch() does. Raises 22023 without a user or if p_limit is below 1, 22004 if p_limit is NULL.';

COMMENT ON PROCEDURE connector_pipeline.backfill(text, uuid, integer) IS
'Imports the records that a query returns, and commits each chunk.
Reports progress by NOTICE and in sync_jobs. After an interruption, call it again: duplicates are skipped.
p_query: SQL that returns one jsonb column, a connector record per row. p_user_id: the owner of all records; if NULL, each record''s owner_user_id. p_batch_size: records per chunk, 1 or more.
Must not be called inside a transaction block.';

COMMENT ON FUNCTION connector_pipeline.subquery_of(text) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.type_of(text) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.cursor_of(text, text) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.record_of(json) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.count_records(text) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.start_backfill(bigint, uuid) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.open_backfill_job(uuid, jsonb) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.import_chunk(jsonb[], uuid, jsonb) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.count_chunk(jsonb, jsonb, jsonb) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.finish_backfill(jsonb, text) IS 'A part of backfill()';

COMMENT ON FUNCTION connector_pipeline.duplicates() IS
'Lists the keys (owner, source, external id) of several recordings.
Such recordings are older than the dedup index. recording_ids: the oldest first (one without created_at counts as the newest), which check_duplicate() returns and merge_duplicates() keeps. bank_ids: the bank of each.
Raises 42501 if policies may hide rows from the caller, 55000 if an id is missing or not a uuid.';

COMMENT ON FUNCTION connector_pipeline.merge_duplicates(boolean) IS
'Keeps the oldest recording of each key, and deletes its duplicates.
Moves the duplicates'' vault entries, and all rows that reference the duplicates by a foreign key, to the recording that is kept. Of several entries in one vault one is kept, with the tags and notes of all. All or nothing.
p_dry_run: true to get the result without changing anything; false to merge.
Returns a row for each deleted recording: kept_id, removed_id, removed_row (as before), entries_moved (a count), entries_merged (the entries that were merged into another entry of their vault, as before). A duplicate vault entry of one recording has a row without removed_id.
Locks recordings and vault_entries against writes (EXCLUSIVE), also in a dry run.
Raises 22004 if p_dry_run is NULL; 55000 if duplicates are in different banks (or one is in none) or in a vault of another bank, if the oldest recording of a key references a newer one, or if an id is missing or not a uuid; 23505 if rows that reference duplicates can''t reference one recording; 42501 if policies may hide rows from the caller; 09000 if a trigger or a rule prevents a delete or a move, or deletes rows that are to be kept. Then nothing is changed.';
