// Tests the drop-in module: the functions of the old TypeScript module, and the new ones.

import assert from "node:assert/strict";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { createClient as createOldestClient } from "supabase-js-2.0";
import {
  checkDuplicate,
  checkDuplicates,
  type ConnectorRecord,
  finishSyncJob,
  insertRecording,
  PipelineError,
  type PipelineResult,
  retryFailedImports,
  runPipeline,
  runPipelineBatch,
  startSyncJob,
} from "../../typescript/connector-pipeline.ts";
import type { Database } from "../../typescript/database.types.ts";
import { importVideo, importVideos, type Video } from "./old_connector.ts";
import { anonKey, clientOf, database, jwt, newUser, project, service } from "./support.ts";

/** A client whose requests fail, as with a server that is down. */
const unreachable = clientOf(anonKey, () => Promise.reject(new TypeError("connection refused")));

const good: ConnectorRecord = {
  external_id: "a",
  source_app: "fathom",
  title: "Weekly",
  full_transcript: "Ann: hello.",
  recording_start_time: "2026-01-31T09:30:00Z",
};
const bad = { ...good, external_id: "bad", duration: -1 };

const video: Video = {
  videoId: "dQw4w9WgXcQ",
  title: "All hands",
  publishedAt: "2026-01-31T09:30:00Z",
  seconds: 213,
  captions: "hello",
  channel: { id: "UC1", name: "Northwind" },
};

async function recordingsOf(owner: string) {
  await using sql = database();
  return await sql`SELECT * FROM recordings WHERE owner_user_id = ${owner} ORDER BY created_at`;
}

/** Returns the warnings that are logged during `work`. */
async function warningsOf(work: () => Promise<unknown>): Promise<string[]> {
  const warnings: string[] = [];
  const warn = console.warn;
  console.warn = (...words) => warnings.push(words.join(" "));
  try {
    await work();
  } finally {
    console.warn = warn;
  }
  return warnings;
}

Deno.test("a connector written for the old module imports each video once", async () => {
  const user = await newUser();
  const videos = [video, { ...video, videoId: "other" }, { ...video, videoId: "no date", publishedAt: "yesterday" }];
  const first = await importVideos(user.supabase, user.id, videos);
  assert.deepEqual([first.synced, first.skipped, first.failed], [2, 0, 1]);
  assert.equal(first.failures[0].id, "no date");
  assert.match(first.failures[0].error, /recording_start_time.*yesterday/);
  const second = await importVideos(user.supabase, user.id, videos);
  assert.deepEqual([second.synced, second.skipped, second.failed], [0, 2, 1]);

  const [recording] = await recordingsOf(user.id);
  assert.deepEqual([recording.title, recording.duration, recording.full_transcript], ["All hands", 213, "hello"]);
  assert.equal(recording.source_metadata.channel.name, "Northwind");
});

Deno.test("a connector that checks before it fetches fetches only new recordings", async () => {
  const user = await newUser();
  const fetched: string[] = [];
  const fetchCaptions = (id: string) => Promise.resolve(`${fetched.push(id)}`);
  const first = await importVideo(user.supabase, user.id, video, fetchCaptions);
  assert.ok("id" in first && first.isNew);
  assert.deepEqual(await importVideo(user.supabase, user.id, video, fetchCaptions), { id: first.id, isNew: false });
  assert.deepEqual(fetched, [video.videoId]);
});

Deno.test("a connector written for the old module gets an error for a failed call", async () => {
  const user = await newUser();
  const stranger = await newUser();
  for (
    const supabase of [unreachable, clientOf(jwt({ role: "authenticated", sub: user.id, exp: 1 })), stranger.supabase]
  ) {
    const { failed, failures } = await importVideos(supabase, user.id, [video]);
    assert.equal(failed, 1);
    assert.notEqual(failures[0].error, "unknown");
    const answer = await importVideo(supabase, user.id, video, () => Promise.resolve(""));
    assert.ok("error" in answer && answer.error !== "");
  }
  assert.equal((await recordingsOf(user.id)).length, 0);
});

Deno.test("runPipeline returns the result of the database unchanged", async () => {
  const user = await newUser();
  const imported = await runPipeline(user.supabase, user.id, good);
  assert.deepEqual(imported, { success: true, recordingId: imported.recordingId });
  assert.deepEqual(await runPipeline(user.supabase, user.id, good), {
    success: false,
    skipped: true,
    recordingId: imported.recordingId,
  });
  const failed = await runPipeline(user.supabase, user.id, bad);
  assert.deepEqual([failed.success, failed.code], [false, "22023"]);
  assert.match(failed.error!, /duration/);
  const misspelt = await runPipeline(
    user.supabase,
    user.id,
    { ...good, external_id: "b", tittle: "" } as ConnectorRecord,
  );
  assert.deepEqual([misspelt.success, misspelt.ignoredFields], [true, ["tittle"]]);
});

Deno.test("runPipeline returns an error result for every failure and never throws", async (t) => {
  const user = await newUser();
  const unserializable = { toJSON: () => assert.fail("no JSON of this") };
  const cycle = { ...good, source_metadata: {} as Record<string, unknown> };
  cycle.source_metadata.self = cycle;
  const table: [string, SupabaseClient, string, ConnectorRecord, string | undefined][] = [
    ["the network is down", unreachable, user.id, good, undefined],
    ["the JWT has expired", clientOf(jwt({ role: "authenticated", sub: user.id, exp: 1 })), user.id, good, "PGRST301"],
    ["the JWT is forged", clientOf("a.b.c"), user.id, good, "PGRST301"],
    ["nobody is signed in", clientOf(anonKey), user.id, good, "42501"],
    ["the user id is another user's", user.supabase, crypto.randomUUID(), good, "42501"],
    ["the user id is not a uuid", user.supabase, "me", good, "22P02"],
    ["the record can't be sent", user.supabase, user.id, { ...good, source_metadata: unserializable }, undefined],
    ["the record refers to itself", user.supabase, user.id, cycle, undefined],
    ["the record is missing", user.supabase, user.id, undefined as unknown as ConnectorRecord, "PGRST202"],
  ];
  for (const [what, supabase, userId, record, code] of table) {
    await t.step(what, async () => {
      const result: PipelineResult = await runPipeline(supabase, userId, record);
      assert.equal(result.success, false);
      assert.equal(result.skipped, undefined);
      assert.ok(result.error);
      assert.equal(result.code, code);
    });
  }
});

Deno.test("checkDuplicate returns false with a warning if its query fails", async () => {
  const user = await newUser();
  const { id } = await insertRecording(user.supabase, user.id, good);
  assert.deepEqual(await checkDuplicate(user.supabase, user.id, "fathom", "a"), {
    isDuplicate: true,
    existingRecordingId: id,
  });
  assert.deepEqual(await checkDuplicate(user.supabase, user.id, "fathom", "b"), { isDuplicate: false });
  const warnings = await warningsOf(async () => {
    assert.deepEqual(await checkDuplicate(unreachable, user.id, "fathom", "a"), { isDuplicate: false });
    assert.deepEqual(await checkDuplicates(unreachable, user.id, "fathom", ["a"]), new Map());
  });
  assert.equal(warnings.length, 2);
  assert.match(warnings[0], /connection refused.*fathom a is taken for new/);
});

Deno.test("checkDuplicates returns the recording ids of the imported keys", async () => {
  const user = await newUser();
  const { id } = await insertRecording(user.supabase, user.id, good);
  assert.deepEqual(await checkDuplicates(user.supabase, user.id, "fathom", ["b", "a", "a"]), new Map([["a", id]]));
  assert.deepEqual(await checkDuplicates(user.supabase, user.id, "fathom", []), new Map());
});

Deno.test("insertRecording throws a PipelineError with the code and message of the database", async () => {
  const user = await newUser();
  await insertRecording(user.supabase, user.id, good);
  await assert.rejects(insertRecording(user.supabase, user.id, good), (error: PipelineError) => {
    assert.ok(error instanceof Error && error instanceof PipelineError);
    assert.deepEqual([error.code, error.status], ["23505", 409]);
    return true;
  });
  await assert.rejects(insertRecording(user.supabase, user.id, bad), {
    code: "22023",
    status: 400,
    message: /duration/,
  });
  await assert.rejects(insertRecording(unreachable, user.id, good), { code: undefined, status: 0 });
});

Deno.test("a call without a user id imports for the user of the JWT", async () => {
  const user = await newUser();
  const { recordingId } = await runPipeline(user.supabase, null, good);
  assert.deepEqual((await recordingsOf(user.id)).map(({ id }) => id), [recordingId]);
  const undefinedUser = undefined as unknown as string;
  for (const nobody of [null, undefinedUser]) {
    assert.equal((await checkDuplicate(user.supabase, nobody, "fathom", "a")).isDuplicate, true);
    assert.equal((await runPipeline(user.supabase, nobody, good)).skipped, true);
    assert.equal((await runPipelineBatch(user.supabase, nobody, [good])).skipped, 1);
  }
});

Deno.test("the service role imports for many owners at once", async () => {
  const [ann, ben] = [await newUser(), await newUser()];
  const records = [ann, ben].map(({ id }) => ({ ...good, owner_user_id: id }));
  assert.equal((await runPipelineBatch(service, null, records)).imported, 2);
  assert.deepEqual([(await recordingsOf(ann.id)).length, (await recordingsOf(ben.id)).length], [1, 1]);
});

Deno.test("keys with undefined or null are imported like absent keys", async () => {
  const user = await newUser();
  const empty = {
    duration: undefined,
    summary: null,
    global_tags: undefined,
    bank_id: null,
    vault_id: undefined,
    source_metadata: { share_url: undefined, host: null },
  };
  assert.equal((await runPipeline(user.supabase, user.id, { ...good, ...empty })).success, true);
  const [recording] = await recordingsOf(user.id);
  assert.deepEqual([recording.duration, recording.summary, recording.global_tags], [null, null, null]);
  assert.deepEqual(recording.source_metadata, { external_id: "a", host: null });
});

Deno.test("a Date is imported like its text, and an invalid Date fails", async () => {
  const user = await newUser();
  const at = (time: Date) => ({ ...good, recording_start_time: time as unknown as string });
  assert.equal((await runPipeline(user.supabase, user.id, at(new Date("2026-01-31T09:30:00.25Z")))).success, true);
  assert.equal((await recordingsOf(user.id))[0].recording_start_time.getTime(), Date.UTC(2026, 0, 31, 9, 30, 0, 250));
  const result = await runPipeline(user.supabase, user.id, { ...at(new Date("never")), external_id: "b" });
  assert.match(result.error!, /recording_start_time/);
});

Deno.test("NUL and half surrogate pairs in texts are replaced and the records imported", async () => {
  const user = await newUser();
  const cut = "\u{1F600}".slice(0, 1);
  const records = [
    good,
    { ...good, external_id: "nul", full_transcript: "a\0b", title: String.raw`\u0000 "\ud83d" \\` },
    { ...good, external_id: "cut", title: `so funny ${cut}`, source_metadata: { [cut]: ["\u{1F600}", cut] } },
  ];
  const { imported, results } = await runPipelineBatch(user.supabase, user.id, records);
  assert.equal(imported, 3, JSON.stringify(results));
  const stored = new Map((await recordingsOf(user.id)).map((row) => [row.source_metadata.external_id, row]));
  assert.equal(stored.get("nul")!.full_transcript, "a\ufffdb");
  assert.equal(stored.get("nul")!.title, String.raw`\u0000 "\ud83d" \\`);
  assert.equal(stored.get("cut")!.title, "so funny \ufffd");
  assert.deepEqual(stored.get("cut")!.source_metadata["\ufffd"], ["\u{1F600}", "\ufffd"]);
  assert.equal((await runPipelineBatch(user.supabase, user.id, records)).skipped, 3);
});

Deno.test("a batch returns a result for each record and keeps the failed ones for a retry", async () => {
  const user = await newUser();
  const batch = await runPipelineBatch(user.supabase, user.id, [good, bad, good]);
  assert.deepEqual([batch.total, batch.imported, batch.skipped, batch.failed], [3, 1, 1, 1]);
  assert.deepEqual(batch.results.map(({ index, externalId }) => [index, externalId]), [[0, "a"], [1, "bad"], [2, "a"]]);
  assert.equal(batch.results[1].code, "22023");

  const { data: failures } = await user.supabase.from("import_failures").select("external_id, code, attempts");
  assert.deepEqual(failures, [{ external_id: "bad", code: "22023", attempts: 1 }]);
  assert.equal((await retryFailedImports(user.supabase, user.id, { sourceApp: "zoom" })).total, 0);
  assert.equal((await retryFailedImports(user.supabase, null, { limit: 1 })).failed, 1);
});

Deno.test("a dry run of a batch returns results and imports nothing", async () => {
  const user = await newUser();
  const batch = await runPipelineBatch(user.supabase, user.id, [good, bad], { dryRun: true });
  assert.deepEqual([batch.imported, batch.failed], [1, 1]);
  assert.equal((await recordingsOf(user.id)).length, 0);
});

Deno.test("a sync job returns the counts of its batches when finished", async () => {
  const user = await newUser();
  const job = await startSyncJob(user.supabase, user.id, "fathom", ["a", "bad"]);
  await runPipelineBatch(user.supabase, user.id, [good, bad, good], { syncJobId: job });
  assert.deepEqual(await finishSyncJob(user.supabase, job), {
    status: "completed_with_errors",
    imported: 1,
    skipped: 1,
    failed: 1,
    message: "1 new, 1 skipped, 1 failed",
  });
  const broken = await startSyncJob(user.supabase, null, "fathom");
  assert.equal((await finishSyncJob(user.supabase, broken, "the token has expired")).status, "failed");
});

Deno.test("a batch or a sync job that fails as a whole throws a PipelineError", async (t) => {
  const user = await newUser();
  const nobody = crypto.randomUUID();
  const table: [string, () => Promise<unknown>, { code?: string; status: number }][] = [
    ["the network is down", () => runPipelineBatch(unreachable, user.id, [good]), { code: undefined, status: 0 }],
    ["no records", () => runPipelineBatch(service, user.id, {} as never), { code: "22023", status: 400 }],
    ["no such job", () => runPipelineBatch(user.supabase, null, [good], { syncJobId: nobody }), {
      code: "22023",
      status: 400,
    }],
    ["no source", () => startSyncJob(user.supabase, user.id, ""), { code: "22023", status: 400 }],
    ["another's job", () => startSyncJob(user.supabase, nobody, "zoom"), { code: "42501", status: 403 }],
    ["no job to finish", () => finishSyncJob(user.supabase, nobody), { code: "22023", status: 400 }],
    ["nobody to retry for", () => retryFailedImports(service, null), { code: "22023", status: 400 }],
  ];
  for (const [what, call, wanted] of table) {
    await t.step(what, () => assert.rejects(call, { name: "PipelineError", ...wanted }));
  }
  assert.equal((await recordingsOf(user.id)).length, 0);
});

Deno.test("an answer that is empty or incomplete is an error", async () => {
  const proxy = clientOf(anonKey, () => Promise.resolve(new Response(null, { status: 204 })));
  const result = await runPipeline(proxy, crypto.randomUUID(), good);
  assert.deepEqual([result.success, result.error], [false, "run_pipeline: the answer is not the database's"]);
  await assert.rejects(runPipelineBatch(proxy, null, [good]), { name: "PipelineError", status: 204 });
  const half = clientOf(anonKey, () => Promise.resolve(Response.json({ total: 1, failed: 0, results: [] })));
  await assert.rejects(runPipelineBatch(half, null, [good]), { name: "PipelineError" });
});

Deno.test("an answer of a proxy in another format is an error", async (t) => {
  for (
    const [body, status] of [
      ...[["[]", 404], ["{}", 200], ["[]", 200], ["null", 200]] as const,
      ...[['{"results":null}', 200], ['{"results":{}}', 200], ['{"success":"no"}', 200]] as const,
    ]
  ) {
    await t.step(`${status} ${body}`, async () => {
      const proxy = clientOf(anonKey, () => Promise.resolve(new Response(body, { status })));
      assert.equal((await runPipeline(proxy, null, good)).success, false);
      const calls = [
        () => runPipelineBatch(proxy, null, [good]),
        () => insertRecording(proxy, null, good),
        () => startSyncJob(proxy, null, "zoom"),
        () => finishSyncJob(proxy, crypto.randomUUID()),
        () => retryFailedImports(proxy, null),
      ];
      for (const call of calls) await assert.rejects(call, { name: "PipelineError" });
      await warningsOf(async () => {
        assert.deepEqual(await checkDuplicate(proxy, null, "zoom", "a"), { isDuplicate: false });
        assert.deepEqual(await checkDuplicates(proxy, null, "zoom", ["a"]), new Map());
      });
    });
  }
});

Deno.test("records whose ids differ only in characters that can't be stored fail separately", async () => {
  const user = await newUser();
  await insertRecording(user.supabase, null, { ...good, external_id: "a\ufffdb" });
  const odd = ["talk \ud83c", "talk \ud83d", "a\0b"].map((external_id) => ({ ...good, external_id }));
  const cut = { ...good, external_id: "cut", title: "so funny \ud83d" };
  const elsewhere = { ...good, external_id: "c", source_app: "z\0om" };
  const batch = await runPipelineBatch(user.supabase, null, [good, ...odd, cut, bad, elsewhere]);
  assert.deepEqual([batch.total, batch.imported, batch.skipped, batch.failed], [7, 2, 0, 5]);
  assert.deepEqual(batch.results.map(({ index, success }) => [index, success]), [
    ...[[0, true], [1, false], [2, false], [3, false], [4, true], [5, false], [6, false]],
  ]);
  assert.deepEqual(batch.results.map(({ externalId }) => externalId), ["a", null, null, null, "cut", "bad", "c"]);
  for (const result of [batch.results[1], batch.results[6]]) {
    assert.equal(result.code, "22023");
    assert.match(result.error!, /NUL or half of a character/);
    assert.equal(result.warning, undefined);
  }
  const { data: kept } = await user.supabase.from("import_failures").select("record->>unstorable_external_id")
    .throwOnError();
  assert.equal(kept.length, 5);
  const spelled = odd.map(({ external_id }) => JSON.stringify(external_id));
  assert.deepEqual(kept.flatMap((row) => row.unstorable_external_id ?? []).sort(), spelled.sort());
  for (const record of odd) {
    const { success, code } = await runPipeline(user.supabase, null, record);
    assert.deepEqual([success, code], [false, "22023"]);
    await assert.rejects(insertRecording(user.supabase, null, record), { name: "PipelineError", code: "22023" });
    const [warning] = await warningsOf(async () => {
      assert.equal((await checkDuplicate(user.supabase, null, "fathom", record.external_id)).isDuplicate, false);
    });
    assert.match(warning, /NUL or half of a character/);
  }
  await insertRecording(user.supabase, null, { ...good, external_id: "c", source_app: "z\ufffdom" });
  await warningsOf(async () => {
    assert.equal((await checkDuplicate(user.supabase, null, "z\0om", "c")).isDuplicate, false);
    assert.equal((await checkDuplicates(user.supabase, null, "z\0om", ["c"])).size, 0);
  });
  const known = await checkDuplicates(user.supabase, null, "fathom", [...odd.map((record) => record.external_id), "a"]);
  assert.deepEqual([...known.keys()], ["a"]);
  assert.equal((await recordingsOf(user.id)).length, 4);
});

Deno.test("a record whose id can't be stored changes no other result of its batch", async () => {
  const user = await newUser();
  const spelledByItself = { toJSON: () => good } as unknown as ConnectorRecord;
  const others = [spelledByItself, null, "text", [1]] as ConnectorRecord[];
  const errorsOf = async (records: ConnectorRecord[]) => {
    const { results } = await runPipelineBatch(user.supabase, null, records, { dryRun: true });
    return results.map(({ error }) => error);
  };
  const expected = await errorsOf(others);
  assert.equal(expected.filter(Boolean).length, 3);
  assert.deepEqual((await errorsOf([...others, { ...good, external_id: "x\0" }])).slice(0, 4), expected);
});

Deno.test("records whose ids come from toJSON() and can't be stored fail", async () => {
  const user = await newUser();
  const odd = ["a\0", "a\ud800"].map((external_id) => ({ ...good, external_id }));
  const spelledByThemselves = odd.map((record) => ({ toJSON: () => record }) as unknown as ConnectorRecord);
  await assert.rejects(runPipelineBatch(user.supabase, null, spelledByThemselves), { name: "PipelineError" });
  for (const record of spelledByThemselves) {
    assert.equal((await runPipeline(user.supabase, null, record)).success, false);
  }
  assert.equal((await recordingsOf(user.id)).length, 0);
});

Deno.test("a record whose id can't be stored is counted as failed in its sync job", async () => {
  const user = await newUser();
  const job = await startSyncJob(user.supabase, null, "fathom", ["x\0", "a"]);
  await runPipelineBatch(user.supabase, null, [{ ...good, external_id: "x\0" }, good], { syncJobId: job });
  const { status, message } = await finishSyncJob(user.supabase, job);
  assert.deepEqual([status, message], ["completed_with_errors", "1 new, 0 skipped, 1 failed"]);
});

Deno.test("a record that can't be serialized or cleaned gives an error of the pipeline", async () => {
  const user = await newUser();
  const cut = { ...good, title: "so funny \ud83d" };
  let deep: object = {};
  for (let depth = 0; depth < 4000; depth++) deep = { deep };
  for (const source_metadata of [{ id: 1n }, deep]) {
    const records = [{ ...good, external_id: "odd", source_metadata }, cut];
    await assert.rejects(runPipelineBatch(user.supabase, null, records), { name: "PipelineError" });
    assert.match((await runPipeline(user.supabase, null, { ...cut, source_metadata })).error!, /^run_pipeline: /);
  }
});

Deno.test("an error of a gateway without a message is returned as its body", async () => {
  for (const body of ['{"error":"rate limited"}', '{"msg":"rate limited"}']) {
    const gateway = clientOf(anonKey, () => Promise.resolve(new Response(body, { status: 429 })));
    assert.match((await runPipeline(gateway, null, good)).error!, /^run_pipeline: .*rate limited/);
  }
});

Deno.test("checkDuplicates finds all keys among more ids than the API returns rows", async () => {
  const user = await newUser();
  const ids = Array.from({ length: 2100 }, (_, n) => `${n}`);
  await runPipelineBatch(user.supabase, null, [0, 999, 1000, 2099].map((n) => ({ ...good, external_id: `${n}` })));
  const known = await checkDuplicates(user.supabase, null, "fathom", ids);
  assert.deepEqual([...known.keys()], ["0", "999", "1000", "2099"]);
});

Deno.test("the service role looks up, counts and retries for the user that it names", async () => {
  const user = await newUser();
  const { id } = await insertRecording(service, user.id, good);
  const duplicate = { isDuplicate: true, existingRecordingId: id };
  assert.deepEqual(await checkDuplicate(service, user.id, "fathom", "a"), duplicate);
  assert.deepEqual(await checkDuplicates(service, user.id, "fathom", ["a", "b"]), new Map([["a", id]]));
  await runPipelineBatch(service, user.id, [bad, { ...bad, external_id: "worse" }]);
  assert.equal((await retryFailedImports(service, user.id, { limit: 1 })).total, 1);
  assert.equal((await retryFailedImports(service, user.id)).total, 2);
  const job = await startSyncJob(service, user.id, "fathom", ["a", "b"]);
  const { data } = await user.supabase.from("sync_jobs").select("id, progress_total");
  assert.deepEqual(data, [{ id: job, progress_total: 2 }]);
});

Deno.test("a PipelineError has the details and the hint of the database", async () => {
  const answer = { message: "m", code: "42P01", details: "the details", hint: "the hint" };
  const client = clientOf(anonKey, () => Promise.resolve(Response.json(answer, { status: 404 })));
  await assert.rejects(startSyncJob(client, null, "zoom"), { details: "the details", hint: "the hint", status: 404 });
});

Deno.test("the functions accept any client of supabase-js 2, typed or not", async () => {
  interface OtherDatabase {
    public: {
      Tables: Record<never, never>;
      Views: Record<never, never>;
      Functions: { unrelated: { Args: { a: number }; Returns: string } };
    };
  }
  const user = await newUser();
  await using api = await project();
  const headers = { Authorization: `Bearer ${user.token}` };
  const options = { global: { headers }, auth: { persistSession: false, autoRefreshToken: false } };
  const untyped: SupabaseClient = createClient(api.url, anonKey, options);
  const typed: SupabaseClient<Database> = createClient<Database>(api.url, anonKey, options);
  const typedForOther = createClient<OtherDatabase>(api.url, anonKey, options);
  const oldest = createOldestClient(api.url, anonKey, options);
  const oldestTyped = createOldestClient<Database>(api.url, anonKey, options);
  // deno-lint-ignore no-explicit-any -- many applications have this type
  const any: SupabaseClient<any, "public", any> = untyped;
  const results = [
    await runPipeline(untyped, user.id, good),
    await runPipeline(typed, user.id, good),
    await runPipeline(typedForOther, user.id, good),
    await runPipeline(oldest, user.id, good),
    await runPipeline(oldestTyped, user.id, good),
    await runPipeline(any, user.id, good),
    // An application calls like this if the extension is in another schema.
    await runPipeline(untyped.schema("public"), user.id, good),
  ];
  assert.deepEqual(results.map(({ success, skipped }) => success || skipped), Array(7).fill(true));
});
