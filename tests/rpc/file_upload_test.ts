// Tests the example typescript/examples/file-upload.

import assert from "node:assert/strict";
import { importUpload } from "../../typescript/examples/file-upload/import-upload.ts";
import { anonKey, clientOf, jwt, newUser } from "./support.ts";

const transcript = "Ann: hello.\nZoë: grüezi 🙂.\n";

function upload(file: BlobPart, fields: Record<string, string> = {}, name = "board meeting.txt"): Request {
  const form = new FormData();
  form.set("file", new File([file], name, { type: "text/plain" }));
  for (const [key, value] of Object.entries(fields)) form.set(key, value);
  return new Request("http://127.0.0.1/file-upload", { method: "POST", body: form });
}

Deno.test("a transcript uploaded again under another file name is skipped", async () => {
  const user = await newUser();
  const fields = { title: "Board meeting, Q4", recorded_at: "2026-01-22T13:00:00Z" };
  const first = await importUpload(upload(transcript, fields), user.supabase);
  const { recordingId } = await first.json();
  assert.equal(first.status, 201);
  const second = await importUpload(upload(transcript, {}, "copy.txt"), user.supabase);
  const answer = await second.json();
  assert.deepEqual([second.status, answer.skipped, answer.recordingId], [200, true, recordingId]);

  const { data: recordings } = await user.supabase.from("recordings").select().throwOnError();
  assert.equal(recordings.length, 1);
  const [recording] = recordings;
  assert.deepEqual([recording.title, recording.full_transcript], ["Board meeting, Q4", transcript]);
  assert.equal(recording.owner_user_id, user.id);
  assert.deepEqual(recording.source_metadata, {
    // sha256sum of the file
    external_id: "161826be2df8d1f70558321852d95fbada01b369100e750d48c838990033a046",
    file_name: "board meeting.txt",
    file_size: 32,
    mime_type: "text/plain",
  });
});

Deno.test("the same transcript uploaded by two users is imported for each", async () => {
  for (const user of [await newUser(), await newUser()]) {
    assert.equal((await importUpload(upload(transcript), user.supabase)).status, 201);
  }
});

Deno.test("an upload without a title and a date gets the file name and the current time", async () => {
  const user = await newUser();
  const before = Date.now();
  await importUpload(upload(transcript, { title: "" }), user.supabase);
  const { data: [recording] } = await user.supabase.from("recordings").select().throwOnError();
  assert.equal(recording.title, "board meeting.txt");
  assert.ok(Date.parse(recording.recording_start_time) >= before);
});

Deno.test("an upload that can't be a transcript is refused with a status and an error", async (t) => {
  const user = await newUser();
  const table: [string, Request, number][] = [
    ["a recording", upload(new Uint8Array([0x49, 0x44, 0x33, 0xff, 0xfb])), 415],
    ["a recording that happens to be UTF-8", upload("RIFF\0\0\0WAVE"), 415],
    ["a large file", upload("x".repeat(10 * 1024 * 1024 + 1)), 413],
    ["no file", new Request("http://127.0.0.1/", { method: "POST", body: new FormData() }), 400],
    ["no form", new Request("http://127.0.0.1/", { method: "POST", body: "hello" }), 400],
    ["no body", new Request("http://127.0.0.1/"), 400],
    ["no date", upload(transcript, { recorded_at: "yesterday" }), 422],
  ];
  for (const [what, request, status] of table) {
    await t.step(what, async () => {
      const response = await importUpload(request, user.supabase);
      assert.equal(response.status, status);
      assert.ok((await response.json()).error);
    });
  }
  // The upload with an invalid date was a record: the failure is kept with its transcript.
  const { data: failures } = await user.supabase.from("import_failures").select("record").throwOnError();
  assert.deepEqual(failures.map(({ record }) => record.full_transcript), [transcript]);
});

Deno.test("an upload without a valid session or database imports nothing and answers an error", async (t) => {
  const user = await newUser();
  const table: [string, ReturnType<typeof clientOf>, number][] = [
    ["anon", clientOf(anonKey), 401],
    ["a session that has expired", clientOf(jwt({ role: "authenticated", sub: user.id, exp: 1 })), 401],
    ["no database", clientOf(anonKey, () => Promise.reject(new TypeError("connection refused"))), 503],
  ];
  for (const [what, supabase, status] of table) {
    await t.step(what, async () => {
      const response = await importUpload(upload(transcript), supabase);
      assert.deepEqual([response.status, Object.keys(await response.json())], [status, ["error"]]);
    });
  }
});

Deno.test("a page of another origin may upload a file and read the answer", async () => {
  const user = await newUser();
  for (const request of [new Request("http://127.0.0.1/", { method: "OPTIONS" }), upload(transcript), upload("\0")]) {
    const { headers } = await importUpload(request, user.supabase);
    assert.equal(headers.get("Access-Control-Allow-Origin"), "*");
    assert.match(headers.get("Access-Control-Allow-Headers")!, /authorization.*content-type/);
  }
});
