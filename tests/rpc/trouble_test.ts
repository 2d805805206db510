// Tests that concurrent calls, timeouts and raised errors import nothing twice and nothing in part.

import assert from "node:assert/strict";
import { call, clientOf, database, jwt, newUser, record, type User, whileInserting } from "./support.ts";

/** Counts the recordings and vault entries of a user. */
async function counts(user: User): Promise<number[]> {
  await using sql = database();
  const rows = await sql`
    SELECT
      (SELECT count(*)::int FROM public.recordings WHERE owner_user_id = ${user.id}) AS recordings,
      (SELECT count(*)::int FROM public.vault_entries AS entry JOIN public.recordings AS recording
        ON recording.id = entry.recording_id WHERE owner_user_id = ${user.id}) AS entries`;
  return [rows[0].recordings, rows[0].entries];
}

Deno.test("50 concurrent requests for one record make one recording", async () => {
  const ann = await newUser();
  const calls = Array.from({ length: 50 }, () => call(ann.supabase, "run_pipeline", { p_record: record("a") }));
  const answers = await Promise.all(calls);
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  const results = answers.map(({ body }) => body as { success: boolean; skipped?: boolean; recordingId: string });
  assert.equal(results.filter(({ success }) => success).length, 1);
  assert.equal(results.filter(({ skipped }) => skipped).length, 49);
  assert.equal(new Set(results.map(({ recordingId }) => recordingId)).size, 1);
  assert.deepEqual(await counts(ann), [1, 1]);
  const { data: banks } = await ann.supabase.from("banks").select("id");
  assert.equal(banks?.length, 1);
});

Deno.test("20 concurrent overlapping batches import each record once", async () => {
  const ann = await newUser();
  const batch = (n: number) => {
    const ids = Array.from({ length: 50 }, (_, i) => `${(n * 7 + i) % 60}`);
    return (n % 2 === 0 ? ids : ids.reverse()).map((id) => record(id));
  };
  const calls = Array.from({ length: 20 }, (_, n) => call(ann.supabase, "run_pipeline_batch", { p_records: batch(n) }));
  const answers = await Promise.all(calls);
  const total = { imported: 0, skipped: 0, failed: 0 };
  for (const { status, body } of answers) {
    assert.equal(status, 200);
    const { imported, skipped, failed } = body as typeof total;
    total.imported += imported;
    total.skipped += skipped;
    total.failed += failed;
  }
  assert.deepEqual(total, { imported: 60, skipped: 940, failed: 0 });
  assert.deepEqual(await counts(ann), [60, 60]);
});

Deno.test("a batch that reaches statement_timeout imports nothing and can be repeated", async () => {
  const ann = await newUser();
  const hasty = clientOf(jwt({ role: "hasty", sub: ann.id }));
  const records = [record("1"), record("2"), record("3")];
  const { data: job } = await ann.supabase.rpc("start_sync_job", { p_source_app: "fathom" });
  const args = { p_records: records, p_sync_job_id: job };
  // The bank exists, so that the batch waits only for the key.
  await ann.supabase.rpc("ensure_personal_bank");

  await using other = database();
  await other.begin(async (sql) => {
    // Imports one of the records without committing.
    await sql`SELECT public.run_pipeline(${JSON.stringify(record("2"))}::text::jsonb, ${ann.id})`;
    assert.deepEqual(await call(hasty, "run_pipeline_batch", args), {
      status: 500,
      body: { code: "57014", message: "canceling statement due to statement timeout", details: null, hint: null },
    });
  });
  assert.deepEqual(await counts(ann), [1, 1]);
  const progress = "progress_current, synced_ids, failed_ids, skipped_count";
  const { data: left } = await ann.supabase.from("sync_jobs").select(progress).single();
  assert.deepEqual(left, { progress_current: 0, synced_ids: [], failed_ids: [], skipped_count: 0 });
  assert.deepEqual((await ann.supabase.from("import_failures").select()).data, []);

  const { body } = await call(hasty, "run_pipeline_batch", args);
  const { imported, skipped, failed } = body as Record<string, number>;
  assert.deepEqual({ imported, skipped, failed }, { imported: 2, skipped: 1, failed: 0 });
  assert.deepEqual(await counts(ann), [3, 3]);
});

/** Raises an error in a user's first `times` inserts of recordings; counts all inserts.
 *
 *  `first` is a PL/pgSQL statement that runs before each insert. */
async function whileRaising(
  code: string,
  times: number,
  user: User,
  work: () => Promise<void>,
  first = "NULL",
): Promise<number> {
  await using sql = database("rpc", "app_owner");
  // A rollback does not reset a sequence.
  await sql`CREATE SEQUENCE public.tries`;
  try {
    await whileInserting(
      user,
      `${first};
      IF pg_catalog.nextval('public.tries') <= ${times} THEN
        RAISE EXCEPTION 'raised by a test' USING ERRCODE = '${code}';
      END IF`,
      work,
    );
    const [{ tries }] = await sql`SELECT last_value::int AS tries FROM public.tries`;
    return tries;
  } finally {
    await sql`DROP SEQUENCE public.tries`;
  }
}

for (const code of ["40P01", "55P03", "57014", "53100", "58030", "XX000"]) {
  Deno.test(`run_pipeline raises ${code} instead of returning it, and imports nothing`, async () => {
    const ann = await newUser();
    const run = () => call(ann.supabase, "run_pipeline", { p_record: record("a") });
    await whileRaising(code, 1, ann, async () => {
      const { status, body } = await run();
      assert.deepEqual([status, (body as { code: string }).code], [code === "53100" ? 503 : 500, code]);
      assert.deepEqual(await counts(ann), [0, 0]);
      assert.equal((await run()).status, 200);
      assert.deepEqual(await counts(ann), [1, 1]);
    });
  });
}

Deno.test("PostgREST before 16 repeats a call that raises a serialization failure", async () => {
  const ann = await newUser();
  const tries = await whileRaising("40001", 5, ann, async () => {
    const { status, body } = await call(ann.supabase, "run_pipeline", { p_record: record("a") });
    assert.deepEqual([status, (body as { success: boolean }).success], [200, true]);
  });
  assert.equal(tries, 6);
  assert.deepEqual(await counts(ann), [1, 1]);
});

Deno.test("PostgREST before 16 repeats such a call past statement_timeout and after the caller has disconnected", async () => {
  const ann = await newUser();
  const hasty = clientOf(jwt({ role: "hasty", sub: ann.id }));
  // Eight tries of 200 ms exceed the caller's timeout of one second.
  const tries = await whileRaising("40001", 8, ann, async () => {
    const gone = AbortSignal.timeout(300);
    const { error } = await hasty.rpc("run_pipeline", { p_record: record("a") }).abortSignal(gone);
    assert.match(error!.message, /^TimeoutError/);
    const deadline = Date.now() + 10_000;
    while ((await counts(ann))[0] === 0 && Date.now() < deadline);
  }, "PERFORM pg_catalog.pg_sleep(0.2)");
  assert.deepEqual([tries, await counts(ann)], [9, [1, 1]]);
});
