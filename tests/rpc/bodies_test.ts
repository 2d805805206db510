// Tests large, numerous and invalid request bodies.

import assert from "node:assert/strict";
import { call, newUser, record, rest } from "./support.ts";

Deno.test("a record of several megabytes is imported unchanged", async () => {
  const ann = await newUser();
  const transcript = "Ann: größer, 大きい, 🎉.\n".repeat(200_000);
  const sent = record("big", { full_transcript: transcript, source_metadata: { words: Array(100_000).fill("word") } });
  const { data } = await ann.supabase.rpc("run_pipeline", { p_record: sent });
  assert.equal(data.success, true);
  const { data: stored } = await ann.supabase.from("recordings").select("full_transcript, source_metadata").single();
  assert.ok(new TextEncoder().encode(transcript).length > 6_000_000);
  assert.ok(stored?.full_transcript === transcript);
  assert.equal(stored?.source_metadata.words.length, 100_000);
});

Deno.test("a batch of 1,000 returns results in order and marks those that failed", async () => {
  const ann = await newUser();
  const records = Array.from({ length: 1000 }, (_, n) => record(n, n % 100 === 7 ? { duration: -1 } : {}));
  const { data } = await ann.supabase.rpc("run_pipeline_batch", { p_records: records });
  assert.deepEqual([data.total, data.imported, data.skipped, data.failed], [1000, 990, 0, 10]);
  assert.deepEqual(data.results.map((result: { index: number }) => result.index), records.map((_, n) => n));
  const failed = data.results.filter((result: { success: boolean }) => !result.success);
  assert.deepEqual(failed.map((result: { externalId: string }) => result.externalId), [
    ...["7", "107", "207", "307", "407", "507", "607", "707", "807", "907"],
  ]);
});

Deno.test("an id too large for a JavaScript number is imported as a string", async () => {
  const ann = await newUser();
  for (const id of ["18446744073709551616", "18446744073709551617"]) {
    assert.equal((await ann.supabase.rpc("run_pipeline", { p_record: record(id) })).data.success, true);
  }
  const exact = `{"p_record": ${JSON.stringify(record("x")).replace('"x"', "18446744073709551617")}}`;
  const answer = await rest("rpc/run_pipeline", ann.token, { method: "POST", body: exact });
  assert.equal((await answer.json()).skipped, true);
});

const inRecord = (title: string | Uint8Array): Uint8Array<ArrayBuffer> => {
  const bytes = typeof title === "string" ? new TextEncoder().encode(title) : title;
  return Uint8Array.from([
    ...new TextEncoder().encode('{"p_record": {"title": "'),
    ...bytes,
    ...new TextEncoder().encode('"}}'),
  ]);
};

const broken: [string, BodyInit, number, string][] = [
  ["no JSON", "{", 400, "PGRST102"],
  ["bytes that are no UTF-8", inRecord(new Uint8Array([0xff, 0xfe])), 400, "PGRST102"],
  ["a bare NUL", inRecord("\0"), 400, "PGRST102"],
  ["an escaped NUL, which PostgreSQL can't store", inRecord("\\u0000"), 400, "22P05"],
  ["half of a surrogate pair", inRecord("\\ud83c"), 400, "PGRST102"],
  ["nothing", "", 404, "PGRST202"],
  ["an array", "[]", 404, "PGRST202"],
];

for (const [what, body, status, code] of broken) {
  Deno.test(`a body with ${what} is refused with ${status} ${code}`, async () => {
    const ann = await newUser();
    const answer = await rest("rpc/run_pipeline", ann.token, { method: "POST", body });
    assert.deepEqual([answer.status, (await answer.json()).code], [status, code]);
  });
}

Deno.test("a batch with a NUL in one record is refused, and imported after the NUL is removed", async () => {
  const ann = await newUser();
  const records = [record("a"), record("b", { title: "one\0two" }), record("c", { title: "half: \ud83c" })];
  const { status, body } = await call(ann.supabase, "run_pipeline_batch", { p_records: records.slice(0, 2) });
  assert.deepEqual([status, (body as { code: string }).code], [400, "22P05"]);
  const clean = JSON.parse(JSON.stringify(records), (_, value) => typeof value === "string" ? storable(value) : value);
  const { data } = await ann.supabase.rpc("run_pipeline_batch", { p_records: clean });
  assert.equal(data.imported, 3);
});

/** Text that PostgreSQL can store. */
const storable = (text: string): string => text.replaceAll("\0", "").toWellFormed();

Deno.test("a record with huge numbers or deep nesting fails alone in its batch", async () => {
  const ann = await newUser();
  const deep = "[".repeat(5000) + "]".repeat(5000);
  const good = JSON.stringify(record("good"));
  for (const odd of ['{"duration": 1e400}', deep, `{"source_metadata": {"deep": ${deep}}}`, "1e400"]) {
    const body = `{"p_records": [${odd}, ${good}], "p_dry_run": true}`;
    const answer = await rest("rpc/run_pipeline_batch", ann.token, { method: "POST", body });
    const { imported, failed } = await answer.json();
    assert.deepEqual([answer.status, imported, failed], [200, 1, 1], odd.slice(0, 50));
  }
});
