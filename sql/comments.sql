-- What each function takes and gives, for \df+ and for PostgREST's OpenAPI.

COMMENT ON SCHEMA connector_pipeline IS 'Administration of the extension connector_pipeline';

COMMENT ON FUNCTION @extschema@.run_pipeline(jsonb, uuid) IS
'Imports one connector record: checks it, skips it where its external_id is imported already for this owner and source, else inserts the recording and its vault entry.
p_record: a connector record, a JSON object. p_user_id: the owner; else the record''s owner_user_id, else the JWT''s subject.
Returns {"success": true, "recordingId"}, or {"success": false, "skipped": true, "recordingId"} for a duplicate, or {"success": false, "error", "code"} with a SQLSTATE; plus "warning" where the vault entry could not be made, plus "ignoredFields" for unknown keys.
Raises only what is not about the record: cancel and timeouts, shutdown, serialization and deadlock, out of resources, internal errors.';

COMMENT ON FUNCTION @extschema@.insert_recording(jsonb, uuid) IS
'Imports one connector record as run_pipeline() does, and raises where it is not imported.
p_record, p_user_id: as for run_pipeline(). Returns {"id"}.
Raises 23505 for a duplicate, 22023 for a record that is not good, 42501 for another''s bank or owner, and what the insert itself raises.';

COMMENT ON FUNCTION @extschema@.check_duplicate(uuid, text, text) IS
'Whether an external id is imported already, as far as the caller may see.
p_user_id: the owner, NULL for the JWT''s subject. p_source_app, p_external_id: exactly as imported.
Returns {"isDuplicate": true, "existingRecordingId"} with the oldest recording''s id, or {"isDuplicate": false}. Where the look-up fails: false, with a WARNING; the import is guarded by the dedup index.
Raises 22004 for a NULL source or id.';

COMMENT ON FUNCTION @extschema@.check_duplicates(uuid, text, text[]) IS
'Which of many external ids are imported already, as far as the caller may see.
p_user_id: the owner, NULL for the JWT''s subject. p_source_app: exactly as imported. p_external_ids: the ids to ask for.
Returns one row for each id asked, in order. Where the look-up fails: no duplicates, with a WARNING.
Raises 22004 for a NULL source or array.';

COMMENT ON FUNCTION @extschema@.get_import_counts(uuid) IS
'How many recordings a user has from each source.
p_user_id: the user, NULL for the JWT''s subject.
Raises 42501 where the caller is neither that user, nor a superuser, a role with BYPASSRLS or the owner of recordings.';

COMMENT ON FUNCTION @extschema@.ensure_personal_bank(uuid) IS
'The id of a user''s personal bank; makes the bank, its vault and the memberships where there is none. Once, also under concurrent calls.
p_user_id: the user, NULL for the JWT''s subject.
Raises 42501 where the caller may not act for that user, 23503 where there is no such user.';

COMMENT ON FUNCTION connector_pipeline.bootstrap() IS
'Makes the tables of the pipeline in the extension''s schema, or adopts those that are there: adds the columns and unique indexes that the pipeline needs, and changes nothing else. Idempotent. Returns what it did, object by object: created, exists, narrowed (privileges that an earlier version gave), or left to its owner (a policy of a table that was there).
Raises 55000 where auth.users, auth.uid() or the API''s roles are missing (see bootstrap_auth()), and where something that is there can''t serve: all of it in DETAIL, what to run in HINT, nothing changed.';

COMMENT ON FUNCTION connector_pipeline.bootstrap_auth() IS
'On plain PostgreSQL only: makes the schema auth with users and uid(), and the roles anon, authenticated and service_role, as Supabase has them. Returns what it did.
Raises 42P06 where the schema auth exists.';

COMMENT ON FUNCTION @extschema@.run_pipeline_batch(jsonb, uuid, uuid, boolean) IS
'Imports many connector records as run_pipeline() does each. One that fails, fails alone.
p_records: an array of connector records. p_user_id: the owner of all of them; else each record''s owner_user_id, else the JWT''s subject. p_sync_job_id: the sync job to add the counts to. p_dry_run: true to learn what would be done, with nothing left of it.
Returns {"total", "imported", "skipped", "failed", "results": […]}, each result that of run_pipeline() with "index" (from 0) and "externalId", in the order of the records. Failed records are kept in import_failures.
Raises 22023 where p_records is no array or there is no such sync job, 22004 for a NULL p_records or p_dry_run, and what run_pipeline() raises.';

COMMENT ON FUNCTION @extschema@.start_sync_job(text, text[], uuid) IS
'Opens a sync job.
p_source_app: the source. p_external_ids: what the connector set out to import. p_user_id: the user, NULL for the JWT''s subject.
Returns the job''s id, for run_pipeline_batch() and finish_sync_job().
Raises 22004 for a NULL source, 22023 for a blank one or without a user, 42501 for another user''s job.';

COMMENT ON FUNCTION @extschema@.finish_sync_job(uuid, text) IS
'Closes a sync job, and stamps last_sync_at and error_message of its user''s import source.
p_sync_job_id: the job. p_error: what ended the run, where it did not come to its end.
Returns {"status": "completed" | "completed_with_errors" | "failed", "imported", "skipped", "failed", "message"}, the message like "8 new, 3 skipped, 1 failed".
Raises 22023 where there is no such sync job of the caller''s.';

COMMENT ON FUNCTION @extschema@.retry_failed_imports(text, uuid, integer) IS
'Imports failed records again, from import_failures; those that are in then are kept no longer.
p_source_app: of one source only; NULL for all. p_user_id: whose, NULL for the JWT''s subject. p_limit: how many at most, those tried longest ago first.
Returns a batch result, as run_pipeline_batch() does. Raises 22023 without a user or for a p_limit below 1, 22004 for a NULL p_limit.';

COMMENT ON PROCEDURE connector_pipeline.backfill(text, uuid, integer) IS
'Imports all records that a query yields, in chunks, each committed; tells how far it is by NOTICE and in sync_jobs. Stopped, it is called again and skips what is in.
p_query: SQL with one jsonb column, a connector record a row. p_user_id: the owner of all of them; else each record''s owner_user_id. p_batch_size: records a chunk, 1 or more.
Must not be called inside a transaction block.';

COMMENT ON FUNCTION connector_pipeline.count_records(text) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.start_backfill(bigint, uuid) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.open_backfill_job(uuid, jsonb) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.import_chunk(jsonb[], uuid, jsonb) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.count_chunk(jsonb, jsonb, jsonb) IS 'A part of backfill()';
COMMENT ON FUNCTION connector_pipeline.finish_backfill(jsonb) IS 'A part of backfill()';

COMMENT ON FUNCTION connector_pipeline.duplicates() IS
'The keys (owner, source, external id) that more than one recording has, from before the dedup index. recording_ids: the oldest first (one without created_at counts as newest), which is the one that check_duplicate() gives and merge_duplicates() keeps. bank_ids: the bank of each.
Raises 42501 where policies may hide rows from the caller, 55000 where an id is missing or no uuid.';

COMMENT ON FUNCTION connector_pipeline.merge_duplicates(boolean) IS
'Keeps the oldest recording of each key that several have, moves to it the vault entries of the others and all that refers to them by a foreign key, and removes the others. Of several entries in one vault one stays, with the tags and notes of all. All or nothing.
p_dry_run: true to learn what would be done, with nothing left of it; false to do it.
Returns a row for each recording removed: kept_id, removed_id, removed_row (as it was), entries_moved (how many), entries_merged (those that went into another entry of their vault, as they were). A vault entry that was there twice has a row without removed_id.
Locks recordings and vault_entries against writing (EXCLUSIVE), also in a dry run.
Raises 22004 for a NULL p_dry_run, 55000 where duplicates lie in different banks (or one in none), or in a vault of another bank, where the oldest of a key refers to a younger, or where an id is missing or no uuid, 23505 where rows that refer to duplicates can''t refer to one, 42501 where policies may hide rows from the caller, 09000 where a trigger or a rule keeps what is to go or to be moved, or takes along what is to stay. Then nothing has been changed.';
