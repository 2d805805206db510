// Tests the calls of a page that shows a user's imports, as in README.md.

import assert from "node:assert/strict";
import {
  finishSyncJob,
  retryFailedImports,
  runPipelineBatch,
  startSyncJob,
} from "../../typescript/connector-pipeline.ts";
import { database, newUser, record, service, type User } from "./support.ts";

async function hub({ supabase }: User) {
  const sources = await supabase
    .from("import_sources")
    .select("source_app, is_active, account_email, last_sync_at, error_message")
    .order("source_app");
  const counts = await supabase.rpc("get_import_counts");
  const lastRun = await supabase
    .from("sync_jobs")
    .select(
      "status, progress_current, progress_total, synced_ids, failed_ids, skipped_count, started_at, completed_at, error",
    )
    .eq("source_app", "fathom")
    .order("created_at", { ascending: false })
    .limit(1)
    .maybeSingle();
  const failures = await supabase
    .from("import_failures")
    .select("source_app, external_id, title:record->>title, error, code, attempts, updated_at")
    .order("updated_at", { ascending: false });
  for (const { error } of [sources, counts, lastRun, failures]) assert.equal(error, null);
  return { sources: sources.data!, counts: counts.data, lastRun: lastRun.data, failures: failures.data! };
}

/** Makes a business bank; `letIn` makes a user a member. */
async function newBank(): Promise<{ id: string; letIn(user: User): Promise<void> }> {
  const { data: { id } } = await service.from("banks").insert({ name: "Northwind", type: "business" }).select().single()
    .throwOnError();
  return {
    id,
    letIn: async (user) => {
      await service.from("bank_memberships").insert({ bank_id: id, user_id: user.id, role: "member" }).throwOnError();
    },
  };
}

async function syncRun({ supabase }: User, records: Record<string, unknown>[]) {
  const job = await startSyncJob(supabase, null, "fathom", records.map((record) => String(record.external_id)));
  await runPipelineBatch(supabase, null, records as never, { syncJobId: job });
  return await finishSyncJob(supabase, job);
}

Deno.test("the hub of a user without imports is empty", async () => {
  assert.deepEqual(await hub(await newUser()), { sources: [], counts: [], lastRun: null, failures: [] });
});

Deno.test("the hub shows sources, counts, the last run and its failures", async () => {
  const user = await newUser();
  const bank = await newBank();
  await user.supabase.from("import_sources").upsert(
    [
      { user_id: user.id, source_app: "fathom", account_email: "ann@northwind.example" },
      { user_id: user.id, source_app: "zoom" },
    ],
    { onConflict: "user_id,source_app" },
  ).throwOnError();
  await user.supabase.rpc("run_pipeline", { p_record: record("before") });
  const locked = record("locked", { title: "Contoso", bank_id: bank.id });
  await syncRun(user, [record("before"), record("new"), locked]);

  const { sources, counts, lastRun, failures } = await hub(user);
  const [fathom, zoom] = sources;
  assert.deepEqual([fathom.account_email, fathom.error_message], [
    "ann@northwind.example",
    "1 new, 1 skipped, 1 failed",
  ]);
  assert.ok(fathom.last_sync_at);
  assert.deepEqual([zoom.source_app, zoom.last_sync_at, zoom.error_message], ["zoom", null, null]);
  assert.deepEqual(counts, [{ source_app: "fathom", call_count: 2 }]);
  assert.deepEqual(
    [lastRun!.status, lastRun!.progress_current, lastRun!.progress_total, lastRun!.failed_ids],
    ["completed_with_errors", 3, 3, ["locked"]],
  );
  assert.equal(failures.length, 1);
  const [{ title, code, attempts, error }] = failures;
  assert.deepEqual([title, code, attempts], ["Contoso", "42501", 1]);
  assert.match(error, /bank/);
});

Deno.test("a retry in the hub imports the records that succeed now and removes their failures", async () => {
  const user = await newUser();
  const bank = await newBank();
  await syncRun(user, [record("locked", { bank_id: bank.id }), record("bad", { duration: -1 })]);
  assert.equal((await retryFailedImports(user.supabase, null)).imported, 0);
  assert.deepEqual((await hub(user)).failures.map(({ attempts }) => attempts), [2, 2]);
  await bank.letIn(user);
  const { data, error } = await user.supabase.rpc("retry_failed_imports", { p_source_app: "fathom" });
  assert.deepEqual([error, data.imported, data.failed], [null, 1, 1]);
  const { counts, failures } = await hub(user);
  assert.deepEqual(counts, [{ source_app: "fathom", call_count: 1 }]);
  assert.deepEqual(failures.map(({ external_id }) => external_id), ["bad"]);
});

Deno.test("a user can delete a failure and deactivate a source in the hub", async () => {
  const user = await newUser();
  await syncRun(user, [record("bad", { duration: -1 })]);
  await user.supabase.from("import_failures").delete().eq("external_id", "bad").throwOnError();
  await user.supabase.from("import_sources").update({ is_active: false }).eq("source_app", "fathom").throwOnError();
  const { sources, failures } = await hub(user);
  assert.deepEqual([sources[0].is_active, failures], [false, []]);
});

Deno.test("the hub lets no user see, retry or delete another user's imports", async () => {
  const [ann, ben] = [await newUser(), await newUser()];
  const bank = await newBank();
  await syncRun(ann, [record("a"), record("locked", { bank_id: bank.id })]);
  await bank.letIn(ann);
  assert.deepEqual(await hub(ben), { sources: [], counts: [], lastRun: null, failures: [] });
  assert.equal((await ben.supabase.rpc("get_import_counts", { p_user_id: ann.id })).error?.code, "42501");
  assert.equal((await retryFailedImports(ben.supabase, null)).total, 0);
  const retried = await ben.supabase.rpc("retry_failed_imports", { p_user_id: ann.id });
  assert.ok(retried.error?.code === "42501" || retried.data.total === 0, JSON.stringify(retried));
  for (const table of ["import_sources", "import_failures", "sync_jobs"]) {
    assert.deepEqual((await ben.supabase.from(table).delete().eq("user_id", ann.id).select()).data, []);
  }
  await using sql = database();
  const [{ count }] = await sql`SELECT count(*)::integer FROM import_failures WHERE user_id = ${ann.id}`;
  assert.equal(count, 1);
});
