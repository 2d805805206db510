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
'Makes the tables of the pipeline in the extension''s schema, or adopts those that are there. Idempotent. Returns what it did, object by object.
Raises where auth.users, auth.uid() or the API''s roles are missing (see bootstrap_auth()).';

COMMENT ON FUNCTION connector_pipeline.bootstrap_auth() IS
'On plain PostgreSQL only: makes the schema auth with users and uid(), and the roles anon, authenticated and service_role, as Supabase has them. Returns what it did.
Raises 42P06 where the schema auth exists.';
