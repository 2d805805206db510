-- Imports over another connection, so that the caller's rollback does not undo the import.
CREATE EXTENSION dblink;
ALTER FUNCTION run_pipeline(jsonb, uuid) RENAME TO good_pipeline;

CREATE FUNCTION run_pipeline(p_record jsonb, p_user_id uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER
AS $$
BEGIN
    IF 'another' <> ALL (coalesce(dblink_get_connections(), '{}')) THEN
        -- The other connection may wait for its own caller, a deadlock that PostgreSQL does not detect.
        PERFORM dblink_connect('another', format(
            'host=%s port=%s dbname=%s user=%s options=''-c statement_timeout=100''',
            current_setting('unix_socket_directories'), current_setting('port'), current_database(), current_user
        ));
    END IF;
    RETURN (
        SELECT result
        FROM dblink('another', format('SELECT good_pipeline(%L, %L)', p_record, p_user_id)) AS answer (result jsonb)
    );
END
$$;
