-- Records of a YouTube connector, with the metadata of YouTube's "videos: list". Its ids have 11 characters, and its
-- captions are short lines in small letters, with >> where somebody else speaks.
INSERT INTO demo.demo_records (imported_by, record)
SELECT
    given.imported_by,
    jsonb_build_object(
        'external_id', given.id,
        'source_app', 'youtube',
        'title', given.title,
        'full_transcript', video.captions,
        'recording_start_time', given.published_at,
        'duration', given.minutes * 60,
        'video_url', 'https://www.youtube.com/watch?v=' || given.id,
        'global_tags', jsonb_build_array('youtube'),
        'source_metadata', jsonb_build_object(
            'video_id', given.id,
            'url', 'https://www.youtube.com/watch?v=' || given.id,
            'channelId', 'UC' || demo.token(given.channel, 22),
            'channelTitle', given.channel,
            'publishedAt', given.published_at,
            'duration', format('PT%sM', given.minutes),
            'definition', 'hd',
            'defaultAudioLanguage', 'en',
            'caption', 'true',
            'privacyStatus', 'unlisted',
            'thumbnails', jsonb_build_object('default', jsonb_build_object(
                'url', format('https://i.ytimg.com/vi/%s/default.jpg', given.id),
                'width', 120,
                'height', 90
            ))
        )
    )
FROM (VALUES
    ('kT3vR8mWq2c', 'Ann Lee', 'Northwind in 5 minutes', '2026-01-12 08:00Z'::timestamptz, 5, 'Northwind',
        ARRAY['Dana Whitfield']),
    ('-Xb7_nLzP0E', 'Ann Lee', 'Search, part 1: finding a sentence', '2026-01-19 08:00Z', 14, 'Northwind',
        ARRAY['Dana Whitfield', 'Ben Ortiz']),
    ('9fQwJ2hYd-s', 'Ben Ortiz', 'Search, part 2: finding who said it', '2026-01-26 08:00Z', 17, 'Northwind',
        ARRAY['Dana Whitfield', 'Ben Ortiz']),
    ('Ue4_aC6oTgM', 'Ben Ortiz', 'Questions and answers, live', '2026-02-11 17:00Z', 48, 'Northwind',
        ARRAY['Ben Ortiz', 'Dana Whitfield', 'Ann Lee']),
    ('m0ZrKx5V1yI', 'Cara Novák', 'Reports for people who don''t like reports', '2026-02-14 09:00Z', 22, 'Fabrikam',
        ARRAY['Cara Novák', 'Freja Lindqvist']),
    ('_B8jNs3eWuQ', 'Cara Novák', 'What is new in February', '2026-02-27 09:00Z', 8, 'Fabrikam',
        ARRAY['Cara Novák'])
) AS given (id, imported_by, title, published_at, minutes, channel, speakers)
CROSS JOIN LATERAL (
    -- 0:01:23 and seven words, which fit on the screen.
    SELECT string_agg(
        format(
            '%s %s%s',
            to_char(said.starts_at + (said.ends_at - said.starts_at) * line.progress, 'FMHH24:MI:SS'),
            CASE WHEN line.n = 0 AND said.takes_over THEN '>> ' END,
            line.words
        ),
        E'\n' ORDER BY said.n, line.n
    )
    FROM (
        SELECT *, turn <> lag(turn) OVER (ORDER BY n) AS takes_over
        FROM demo.conversation(given.id, 'lesson', given.speakers, given.minutes)
    ) AS said
    CROSS JOIN LATERAL string_to_array(lower(translate(said.sentence, '.,:?', '')), ' ') AS word
    CROSS JOIN LATERAL (
        SELECT
            n,
            array_to_string(word[7 * n + 1 : 7 * n + 7], ' ') AS words,
            7.0 * n / cardinality(word) AS progress
        FROM generate_series(0, (cardinality(word) - 1) / 7) AS n
    ) AS line
) AS video (captions)
ORDER BY given.published_at;
