-- Makes tables raise errors at every depth: the title of a record selects the error.

CREATE FUNCTION raise_by_title() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    record jsonb := jsonb_build_object(
        'external_id', 'within', 'source_app', 'fathom', 'full_transcript', '', 'recording_start_time', NEW.recording_start_time,
        'owner_user_id', NEW.owner_user_id
    );
    raising jsonb := record || '{"title": "raise before"}';
    results jsonb;
BEGIN
    IF NEW.title = 'raise ' || lower(TG_WHEN) THEN
        RAISE EXCEPTION 'not %', lower(TG_WHEN);
    ELSIF NEW.title = 'cast' THEN
        RETURN jsonb_populate_record(NEW, jsonb_build_object('duration', NEW.title));
    ELSIF NEW.title = 'divide' THEN
        NEW.duration := 1 / (NEW.duration - NEW.duration);
    ELSIF NEW.title LIKE 'nested%' AND TG_WHEN = 'BEFORE' THEN
        results := run_pipeline_batch(jsonb_build_array(record, raising, record || '{"title": ""}', '7'))
            || jsonb_build_object('single', run_pipeline(raising));
        IF NOT (results ->> 'total' = '4' AND results ->> 'failed' = '3' AND results #>> '{single,skipped}' = 'true') THEN
            RAISE EXCEPTION 'nested calls give %', results USING ERRCODE = 'XX000';
        ELSIF NEW.title = 'nested, raise' THEN
            RAISE EXCEPTION 'after nested calls';
        END IF;
    ELSIF NEW.title = 'block' AND TG_WHEN = 'BEFORE' THEN
        BEGIN
            PERFORM run_pipeline(raising);
            PERFORM insert_recording(raising);
        EXCEPTION WHEN raise_exception THEN
            RAISE EXCEPTION 'out of a block' USING ERRCODE = 'QUOTA';
        END;
    ELSIF NEW.title = 'serialization' THEN
        RAISE EXCEPTION 'again' USING ERRCODE = '40001';
    ELSIF NEW.title = 'internal' THEN
        RAISE EXCEPTION 'broken' USING ERRCODE = 'XX000';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER raise_before BEFORE INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION raise_by_title();
CREATE TRIGGER raise_after AFTER INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION raise_by_title();

CREATE FUNCTION raise_deferred() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.title = 'deferred' THEN
        RAISE EXCEPTION 'not in the end';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER raise_deferred AFTER INSERT ON recordings DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION raise_deferred();

ALTER TABLE recordings ADD CHECK (title <> 'check');

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no % today', TG_TABLE_NAME; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON vault_entries FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER refuse AFTER INSERT ON banks FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER refuse BEFORE INSERT ON import_failures FOR EACH ROW WHEN (NEW.external_id = 'unkept') EXECUTE FUNCTION refuse();
CREATE TRIGGER refuse BEFORE UPDATE ON sync_jobs FOR EACH ROW WHEN (NEW.source_app = 'closed') EXECUTE FUNCTION refuse();
