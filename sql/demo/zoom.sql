-- Records of a Zoom connector, with the metadata of Zoom's "get meeting recordings". Its ids are 16 bytes in base64, so
-- that some have a slash in them. Where nobody switched the transcription on, Zoom has none.
INSERT INTO demo.demo_records (imported_by, record)
SELECT
    given.imported_by,
    jsonb_build_object(
        'external_id', given.id,
        'source_app', 'zoom',
        'title', given.title,
        'full_transcript', CASE WHEN given.has_transcript THEN call.transcript ELSE '' END,
        'recording_start_time', given.starts_at,
        'recording_end_time', given.starts_at + make_interval(mins => given.minutes),
        'duration', given.minutes * 60,
        'source_metadata', jsonb_build_object(
            'uuid', given.id,
            'id', 80000000000 + abs(hashtextextended(given.id, 0) % 9999999999),
            'host_id', demo.token(host.email, 22),
            'host_email', host.email,
            'topic', given.title,
            'type', 2,
            'start_time', given.starts_at,
            'timezone', 'Europe/Berlin',
            'duration', given.minutes,
            'share_url', 'https://us02web.zoom.us/rec/share/' || demo.token('share' || given.id, 40),
            'participants', to_jsonb(given.speakers),
            'recording_files', jsonb_build_array(
                jsonb_build_object(
                    'file_type', 'MP4',
                    'file_extension', 'MP4',
                    'recording_type', 'shared_screen_with_speaker_view',
                    'file_size', given.minutes * 2417664,
                    'play_url', 'https://us02web.zoom.us/rec/play/' || demo.token('play' || given.id, 40),
                    'status', 'completed'
                )
            ) || CASE
                WHEN given.has_transcript THEN jsonb_build_array(jsonb_build_object(
                    'file_type', 'TRANSCRIPT',
                    'file_extension', 'VTT',
                    'recording_type', 'audio_transcript',
                    'file_size', octet_length(call.transcript),
                    'status', 'completed'
                ))
                ELSE '[]'
            END
        )
    )
FROM (VALUES
    ('4444AAAiAAAAAiAiAiiAii==', 'Ann Lee', 'Product and sales', '2026-02-04 15:00Z'::timestamptz, 35, 'planning',
        ARRAY['Ann Lee', 'Ben Ortiz', 'Dana Whitfield', 'Cara Novák'], true),
    ('/ajXp112QmuoKj4854875Q==', 'Ann Lee', 'Contoso: demo of the export', '2026-02-06 10:00Z', 30, 'sales',
        ARRAY['Ann Lee', 'Freja Lindqvist', 'Emeka Okafor'], true),
    ('vRq/7Tn0T6y//kL1sFzWJw==', 'Ann Lee', 'Quick question', '2026-02-06 16:20Z', 4, 'planning',
        ARRAY['Ann Lee', 'Dana Whitfield'], false),
    ('Zk3bYw8eRmS5t0GxQp1N2A==', 'Ben Ortiz', 'Tailspin: kick-off', '2026-02-10 13:00Z', 33, 'sales',
        ARRAY['Ben Ortiz', 'Goro Tanaka', 'Hélène Martin'], true),
    ('hW9c+D4jSxKqUe/6bMoX7g==', 'Ben Ortiz', 'Tailspin: data import', '2026-02-17 13:05Z', 31, 'planning',
        ARRAY['Ben Ortiz', 'Goro Tanaka'], true),
    ('Lp0sN5vATf2yCdr81hEJkQ==', 'Ben Ortiz', 'Contoso: renewal', '2026-02-19 09:30Z', 22, 'sales',
        ARRAY['Ben Ortiz', 'Emeka Okafor', 'Ann Lee'], true),
    ('o6Uu/gM3QJ+Rz2iBf9XH4w==', 'Cara Novák', 'Fabrikam all hands', '2026-02-20 14:00Z', 34, 'board',
        ARRAY['Cara Novák', 'Hélène Martin', 'Freja Lindqvist', 'Goro Tanaka'], true),
    ('yT8m1QaKSVe7EwnP5cLd0g==', 'Cara Novák', 'Usability test, round three', '2026-02-23 11:00Z', 29, 'interview',
        ARRAY['Cara Novák', 'Emeka Okafor'], true)
) AS given (id, imported_by, title, starts_at, minutes, topic, speakers, has_transcript)
JOIN demo.people AS host ON host.name = given.imported_by
CROSS JOIN LATERAL (
    -- WebVTT: a numbered cue for each sentence.
    SELECT E'WEBVTT\n\n' || string_agg(
        format(
            E'%s\n%s --> %s\n%s: %s\n',
            n, to_char(starts_at, 'HH24:MI:SS.MS'), to_char(ends_at, 'HH24:MI:SS.MS'), speaker, sentence
        ),
        E'\n' ORDER BY n
    )
    FROM demo.conversation(given.id, given.topic, given.speakers, given.minutes)
) AS call (transcript)
ORDER BY given.starts_at;
