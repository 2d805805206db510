-- Records of uploaded files. A file has no id of a vendor: its name and its size are taken for one.
INSERT INTO demo.demo_records (imported_by, record)
SELECT
    given.imported_by,
    jsonb_build_object(
        'external_id', given.file_name || '-' || given.file_size,
        'source_app', 'file-upload',
        'title', given.title,
        'full_transcript', file.transcript,
        'recording_start_time', given.recorded_at,
        'duration', given.minutes * 60,
        'audio_url', 'https://files.northwind.example/' || demo.token(given.file_name, 32),
        'source_metadata', jsonb_build_object(
            'file_name', given.file_name,
            'file_size', given.file_size,
            'mime_type', CASE split_part(given.file_name, '.', 2)
                WHEN 'm4a' THEN 'audio/mp4'
                WHEN 'mp3' THEN 'audio/mpeg'
                ELSE 'audio/wav'
            END,
            'last_modified', given.recorded_at + make_interval(mins => given.minutes),
            'sha256', encode(sha256(convert_to(given.file_name, 'UTF8')), 'hex'),
            'uploaded_by', host.email,
            'transcribed_with', 'whisper-large-v3',
            'attendees', to_jsonb(given.speakers)
        )
    )
FROM (VALUES
    ('board-meeting.m4a', 48211903, 'Ann Lee', 'Board meeting, Q4', '2026-01-22 13:00Z'::timestamptz, 57, 'board',
        ARRAY['Ann Lee', 'Dana Whitfield', 'Goro Tanaka', 'Freja Lindqvist']),
    ('voice memo 14.m4a', 2210448, 'Ann Lee', 'In the corridor, with Dana', '2026-02-01 19:42Z', 3, 'planning',
        ARRAY['Ann Lee', 'Dana Whitfield']),
    ('tailspin-phone.mp3', 19004416, 'Ben Ortiz', 'Tailspin, by phone', '2026-02-05 16:10Z', 21, 'sales',
        ARRAY['Ben Ortiz', 'Hélène Martin']),
    ('Gespräch Zürich.wav', 190316588, 'Ben Ortiz', 'Talk at the fair in Zürich', '2026-02-12 11:30Z', 18, 'interview',
        ARRAY['Ben Ortiz', 'Freja Lindqvist']),
    ('supervisory-board.mp3', 61866002, 'Cara Novák', 'Supervisory board', '2026-02-24 09:00Z', 52, 'board',
        ARRAY['Cara Novák', 'Emeka Okafor', 'Goro Tanaka']),
    ('interview_07.m4a', 24117760, 'Cara Novák', 'Interview 7', '2026-02-25 15:00Z', 34, 'interview',
        ARRAY['Cara Novák', 'Hélène Martin'])
) AS given (file_name, file_size, imported_by, title, recorded_at, minutes, topic, speakers)
JOIN demo.people AS host ON host.name = given.imported_by
CROSS JOIN LATERAL (
    -- A paragraph for each turn.
    SELECT string_agg(format('%s: %s', speaker, says), E'\n\n' ORDER BY starts_at)
    FROM demo.turns(given.file_name, given.topic, given.speakers, given.minutes)
) AS file (transcript)
ORDER BY given.recorded_at;
