-- Records of a Fathom connector, with the metadata of Fathom's "list meetings". Its ids are integers. Two of them are
-- 2^53 and the one after it, which JavaScript would take for the same: these are two recordings.
INSERT INTO demo.demo_records (imported_by, record)
SELECT
    given.imported_by,
    jsonb_build_object(
        'external_id', given.id,
        'source_app', 'fathom',
        'title', given.title,
        'full_transcript', call.transcript,
        'recording_start_time', given.starts_at,
        'recording_end_time', given.starts_at + make_interval(mins => given.minutes),
        'duration', given.minutes * 60,
        'summary', format('%s minutes with %s.', given.minutes, array_to_string(given.speakers, ', ')),
        'global_tags', to_jsonb(ARRAY['fathom', given.topic]),
        'video_url', 'https://fathom.video/calls/' || given.id,
        'source_metadata', jsonb_build_object(
            'recording_id', given.id,
            'meeting_title', given.title,
            'url', 'https://fathom.video/calls/' || given.id,
            'share_url', 'https://fathom.video/share/' || demo.token('fathom' || given.id, 32),
            'scheduled_start_time', date_trunc('hour', given.starts_at),
            'scheduled_end_time', date_trunc('hour', given.starts_at) + interval '1 hour',
            'transcript_language', 'en',
            'calendar_invitees_domains_type', CASE
                WHEN invited.outsiders > 0 THEN 'one_or_more_external'
                ELSE 'only_internal'
            END,
            'calendar_invitees', invited.list,
            'recorded_by', jsonb_build_object('name', host.name, 'email', host.email)
        )
    )
FROM (VALUES
    (348112077, 'Ann Lee', 'Contoso: first call', '2026-02-02 09:00Z'::timestamptz, 28, 'sales',
        ARRAY['Ann Lee', 'Emeka Okafor', 'Freja Lindqvist']),
    (348390514, 'Ann Lee', 'Sales stand-up', '2026-02-03 08:45Z', 12, 'planning',
        ARRAY['Ann Lee', 'Ben Ortiz', 'Dana Whitfield']),
    (349020866, 'Ann Lee', 'Contoso: security questions', '2026-02-05 13:01Z', 41, 'sales',
        ARRAY['Ann Lee', 'Dana Whitfield', 'Freja Lindqvist', 'Emeka Okafor']),
    (349771203, 'Ann Lee', 'How Tailspin uses the search', '2026-02-09 15:00Z', 33, 'interview',
        ARRAY['Ann Lee', 'Hélène Martin']),
    (350118952, 'Ann Lee', 'Ann / Ben, weekly', '2026-02-10 10:30Z', 25, 'planning',
        ARRAY['Ann Lee', 'Ben Ortiz']),
    (9007199254740992, 'Ann Lee', 'Tailspin: pilot review', '2026-02-12 09:02Z', 47, 'sales',
        ARRAY['Ann Lee', 'Goro Tanaka', 'Hélène Martin']),
    (9007199254740993, 'Ann Lee', 'Tailspin: contract', '2026-02-13 14:00Z', 19, 'sales',
        ARRAY['Ann Lee', 'Goro Tanaka']),
    (351604430, 'Cara Novák', 'Fabrikam roadmap', '2026-02-16 12:00Z', 55, 'planning',
        ARRAY['Cara Novák', 'Ann Lee', 'Dana Whitfield']),
    (352007518, 'Cara Novák', 'Interview: month-end reports', '2026-02-18 08:30Z', 38, 'interview',
        ARRAY['Cara Novák', 'Goro Tanaka'])
) AS given (id, imported_by, title, starts_at, minutes, topic, speakers)
JOIN demo.people AS host ON host.name = given.imported_by
CROSS JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE is_external) AS outsiders,
        jsonb_agg(jsonb_build_object(
            'name', name,
            'email', email,
            'email_domain', domain,
            'is_external', is_external,
            'matched_speaker_display_name', name
        ) ORDER BY name) AS list
    FROM demo.people
    CROSS JOIN LATERAL split_part(email, '@', 2) AS domain
    CROSS JOIN LATERAL (SELECT domain <> split_part(host.email, '@', 2)) AS compared (is_external)
    WHERE name = ANY (given.speakers)
) AS invited
CROSS JOIN LATERAL (
    -- [00:01:23] Ann Lee: a line for each turn.
    SELECT string_agg(format('[%s] %s: %s', to_char(starts_at, 'HH24:MI:SS'), speaker, says), E'\n' ORDER BY starts_at)
    FROM demo.turns('fathom' || given.id, given.topic, given.speakers, given.minutes)
) AS call (transcript)
ORDER BY given.starts_at;
