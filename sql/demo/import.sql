-- Imports all records, each in a transaction of its own, as if each came in a request of its own.
CREATE PROCEDURE demo.import(p_round integer)
LANGUAGE plpgsql
AS $$
DECLARE
    given record;
    called_at timestamptz;
    answer jsonb;
BEGIN
    DELETE FROM demo.results WHERE round = p_round;

    FOR given IN
        SELECT demo_records.position, demo_records.record, people.user_id, people.api_role
        FROM demo.demo_records
        JOIN demo.people ON people.name = demo_records.imported_by
        ORDER BY demo_records.position
    LOOP
        called_at := clock_timestamp();
        -- What PostgREST does for a request: it sets the claims of the JWT and the role, for one transaction.
        IF given.api_role = 'authenticated' THEN
            PERFORM set_config(
                'request.jwt.claims', jsonb_build_object('role', 'authenticated', 'sub', given.user_id)::text, true
            );
            SET LOCAL ROLE authenticated;
            answer := run_pipeline(given.record);
        ELSE
            -- The service key is nobody's, so that it has to be said who the owner is.
            PERFORM set_config('request.jwt.claims', '{"role": "service_role"}', true);
            SET LOCAL ROLE service_role;
            answer := run_pipeline(given.record, given.user_id);
        END IF;
        RESET ROLE;

        INSERT INTO demo.results (round, position, result, started_at, ended_at)
        VALUES (p_round, given.position, answer, called_at, clock_timestamp());
        COMMIT;
    END LOOP;
END
$$;
