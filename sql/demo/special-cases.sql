-- What goes wrong in real syncs, or seems to.

-- Ben keeps what customers say in the bank and the vault that he shares with Ann.
UPDATE demo.demo_records
SET record = record || '{
    "bank_id": "ba000000-0000-4000-8000-000000000001",
    "vault_id": "fa000000-0000-4000-8000-000000000001"
}'
WHERE imported_by = 'Ben Ortiz' AND record ->> 'source_app' IN ('zoom', 'file-upload');

-- Each case is a copy of a record from above with a few changes; null takes a key away.
INSERT INTO demo.demo_records (imported_by, record)
SELECT special.imported_by, jsonb_strip_nulls(original.record || special.changes)
FROM (VALUES
    -- Duplicates. Fathom calls the webhook twice; a new version of the connector sends the id as a string; Zoom reports
    -- a recording again once its transcript is there; a file is uploaded a second time.
    (1, 'Ann Lee', 'fathom', '348112077', '{}'::jsonb),
    (2, 'Ann Lee', 'fathom', '9007199254740993', '{"external_id": "9007199254740993"}'),
    (3, 'Ann Lee', 'zoom', '/ajXp112QmuoKj4854875Q==', '{"title": "Contoso: demo of the export (transcribed)"}'),
    (4, 'Ann Lee', 'file-upload', 'board-meeting.m4a-48211903', '{"title": "Board meeting, Q4, final"}'),

    -- No duplicates. The same id from another source; the same meeting, imported by somebody else who was there.
    (5, 'Ann Lee', 'youtube', 'kT3vR8mWq2c', '{"source_app": "file-upload", "title": "Northwind, downloaded"}'),
    (6, 'Ben Ortiz', 'zoom', '4444AAAiAAAAAiAiAiiAii==', '{}'),

    -- Imported, with something to say. Keys that the pipeline doesn't know; a vault of Northwind without Northwind's
    -- bank, so that the recording goes to the personal bank, which has no such vault.
    (7, 'Cara Novák', 'zoom', 'yT8m1QaKSVe7EwnP5cLd0g==',
        '{"external_id": "C2dS/x0RQb6uHnVJ3tkE9A==", "title": "Usability test, round four",
        "passcode": "x3!kd0", "auto_delete_date": "2026-03-25"}'),
    (8, 'Ann Lee', 'fathom', '350118952',
        '{"external_id": 352880146, "title": "Ann / Ben, quarterly",
        "vault_id": "fa000000-0000-4000-8000-000000000001"}'),

    -- Not imported. Three faults at once; Fabrikam's bank, where Ben is not a member; Ben's video, sent by Ann.
    (9, 'Ann Lee', 'file-upload', 'voice memo 14.m4a-2210448',
        '{"external_id": "voice memo 15.m4a-1911200", "title": null,
        "recording_start_time": "2026-02-08T20:15:00", "duration": -1}'),
    (10, 'Ben Ortiz', 'zoom', 'Lp0sN5vATf2yCdr81hEJkQ==',
        '{"external_id": "bN4i9YwkTOqM/5rGzA0D6w==", "title": "Fabrikam: renewal",
        "bank_id": "ba000000-0000-4000-8000-000000000002", "vault_id": null}'),
    (11, 'Ann Lee', 'youtube', '-Xb7_nLzP0E',
        '{"external_id": "Yw1-qH7dKz4", "owner_user_id": "b0000000-0000-4000-8000-000000000002"}')
) AS special (n, imported_by, source_app, external_id, changes)
JOIN demo.demo_records AS original
    ON original.record ->> 'source_app' = special.source_app
    AND original.record ->> 'external_id' = special.external_id
ORDER BY special.n;
