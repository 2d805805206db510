// Runs the TypeScript snippets in the README's section on RPC.

import assert from "node:assert/strict";
import { anonKey, newUser, project, record, serviceKey } from "./support.ts";

const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));

/** Returns the block of TypeScript after a sentence of the README. */
function snippet(sentence: string): string {
  const block = readme.slice(readme.indexOf(sentence)).match(/```ts\n(.*?)```/s);
  if (!readme.includes(sentence) || block === null) throw new Error(`the README has no snippet after "${sentence}"`);
  return block[1];
}

/** Runs a snippet with given variables; returns the named variables and the console's lines. */
async function run(sentence: string, given: Record<string, unknown>, names: string[]) {
  const lines = snippet(sentence).split("\n");
  const written: string[] = [];
  const write = (...words: unknown[]) => written.push(words.join(" "));
  const code = [
    ...lines.filter((line) => line.startsWith("import ")),
    `export default async function ({ ${["console", ...Object.keys(given)].join(", ")} }: any) {`,
    ...lines.filter((line) => !line.startsWith("import ")),
    `return { ${names.join(", ")} };`,
    "}",
  ].join("\n");
  const module = await import(`data:application/typescript,${encodeURIComponent(code)}`);
  const values = await module.default({ console: { log: write, warn: write }, ...given });
  return { ...values, written };
}

/** Sets the environment variables of an edge function while `work` runs. */
async function inProject(work: (url: string) => Promise<void>): Promise<void> {
  await using supabase = project();
  Deno.env.set("SUPABASE_URL", supabase.url);
  Deno.env.set("SUPABASE_ANON_KEY", anonKey);
  Deno.env.set("SUPABASE_SERVICE_ROLE_KEY", serviceKey);
  await work(supabase.url);
}

// A client that a snippet makes refreshes its session by a timer that never ends.
const withItsOwnClient = { sanitizeOps: false, sanitizeResources: false };

const meeting = {
  id: 352880146,
  title: "Weekly",
  transcript: null,
  started_at: "2026-01-31T09:30:00Z",
  share_url: "https://x",
};

Deno.test("README: an edge function imports as the user who called it", withItsOwnClient, async () => {
  const ann = await newUser();
  const request = new Request("http://127.0.0.1", { headers: { Authorization: `Bearer ${ann.token}` } });
  const sentence = "function, as the user who called that:";
  await inProject(async () => {
    const first = await run(sentence, { request, meeting }, ["result", "error"]);
    assert.deepEqual([first.error, first.result.success], [null, true]);
    assert.deepEqual(first.written, [`new ${first.result.recordingId}`]);
    const second = await run(sentence, { request, meeting }, ["result"]);
    assert.deepEqual(second.written, [`known ${first.result.recordingId}`]);
    const bad = await run(sentence, { request, meeting: { ...meeting, title: 7 } }, ["result"]);
    assert.match(bad.written[0], /^failed 22023 invalid record: title/);
  });
});

Deno.test("README: a webhook imports with the service key", withItsOwnClient, async () => {
  const ann = await newUser();
  const { createClient } = await import("@supabase/supabase-js");
  await inProject(async () => {
    const given = { createClient, record: record("a"), userId: ann.id };
    const { result, error } = await run("it calls with the service key", given, ["result", "error"]);
    assert.deepEqual([error, result.success], [null, true]);
  });
  assert.equal((await ann.supabase.from("recordings").select()).data?.length, 1);
});

Deno.test("README: a sync run writes the message that the README shows", async () => {
  const ann = await newUser();
  await ann.supabase.rpc("run_pipeline_batch", { p_records: [0, 1, 2].map((id) => record(id)) });
  const records = [...Array.from({ length: 11 }, (_, id) => record(id)), record("bad", { duration: -1 })];
  const given = { supabase: ann.supabase, records, ids: records.map(({ external_id }) => `${external_id}`) };
  const { written } = await run("A whole sync run:", given, []);
  assert.deepEqual(written, ["8 new, 3 skipped, 1 failed"]);
  assert.ok(snippet("A whole sync run:").includes(`// ${written[0]}\n`));
  const { data } = await ann.supabase.from("import_failures").select("external_id, attempts");
  assert.deepEqual(data, [{ external_id: "bad", attempts: 2 }]);
});

Deno.test("README: check_duplicates leaves only new ids to fetch", async () => {
  const ann = await newUser();
  await ann.supabase.rpc("run_pipeline", { p_record: record("1") });
  // The API returns fewer rows than there are ids.
  const ids = Array.from({ length: 1500 }, (_, id) => `${id + 1}`);
  const given = { supabase: ann.supabase, userId: ann.id, ids };
  const { unknown } = await run("so that only that is fetched:", given, ["unknown"]);
  assert.deepEqual(unknown, ids.slice(1));
});

Deno.test("README: a record is imported by one request without a client", async () => {
  const ann = await newUser();
  await inProject(async (url) => {
    const given = { url, key: serviceKey, record: record("a"), userId: ann.id };
    const { result } = await run("Without a client:", given, ["result"]);
    assert.equal(result.success, true);
  });
});

Deno.test("README: a page reads the import hub, retries, dismisses and disconnects", async () => {
  const ann = await newUser();
  await ann.supabase.rpc("run_pipeline_batch", { p_records: [record("a"), record("bad", { duration: -1 })] });
  const { data: job } = await ann.supabase.rpc("start_sync_job", { p_source_app: "fathom" });
  await ann.supabase.rpc("finish_sync_job", { p_sync_job_id: job, p_error: "the token has expired" });
  const names = ["sources", "counts", "lastRun", "failures", "retried"];
  const page = await run("The same in a browser", { supabase: ann.supabase }, names);
  assert.deepEqual(page.sources.map((source: Record<string, unknown>) => [source.source_app, source.error_message]), [
    ["fathom", "the token has expired"],
  ]);
  assert.deepEqual(page.counts, [{ source_app: "fathom", call_count: 1 }]);
  assert.deepEqual([page.lastRun.status, page.lastRun.error], ["failed", "the token has expired"]);
  assert.deepEqual(page.failures.map((failure: Record<string, unknown>) => [failure.title, failure.attempts]), [
    ["Weekly", 1],
  ]);
  assert.equal(page.retried.failed, 1);
  const { data: left } = await ann.supabase.from("import_failures").select();
  const { data: active } = await ann.supabase.from("import_sources").select().is("is_active", true);
  assert.deepEqual([left, active], [[], []]);
});

Deno.test("README: the section on RPC has as many TypeScript snippets as are tested", () => {
  const section = readme.slice(readme.indexOf("## RPC\n"), readme.indexOf("## From an edge function\n"));
  assert.equal(section.match(/```ts\n/g)?.length, 5);
});
