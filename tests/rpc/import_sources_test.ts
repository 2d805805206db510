// Tests the tables that an import hub reads and writes through .from(), under row-level security.

import assert from "node:assert/strict";
import { anon, anonKey, newUser, record, rest, service, serviceKey, type User } from "./support.ts";

const connect = (user: User, changes: Record<string, unknown> = {}) =>
  user.supabase.from("import_sources")
    .upsert({ user_id: user.id, source_app: "zoom", ...changes }, { onConflict: "user_id,source_app" })
    .select("source_app, is_active, account_email, error_message");

const row = { source_app: "zoom", is_active: true, account_email: null, error_message: null };

Deno.test("a user connects a source, changes it by upsert and by update, and disconnects it", async () => {
  const ann = await newUser();
  const connected = await connect(ann);
  assert.deepEqual([connected.status, connected.data], [201, [row]]);
  const again = await connect(ann, { account_email: "ann@example.com" });
  assert.deepEqual([again.status, again.data], [200, [{ ...row, account_email: "ann@example.com" }]]);

  const sources = ann.supabase.from("import_sources");
  const paused = await sources.update({ is_active: false }).eq("source_app", "zoom");
  assert.deepEqual([paused.status, paused.error], [204, null]);
  const seen = await sources.select("source_app, is_active").order("source_app");
  assert.deepEqual([seen.status, seen.data], [200, [{ source_app: "zoom", is_active: false }]]);
  const removed = await sources.delete().eq("source_app", "zoom").select("source_app");
  assert.deepEqual([removed.status, removed.data], [200, [{ source_app: "zoom" }]]);
  assert.deepEqual((await sources.select()).data, []);
});

Deno.test("finish_sync_job sets last_sync_at and error_message of the connected source", async () => {
  const ann = await newUser();
  await connect(ann, { source_app: "fathom", account_email: "ann@example.com" });
  const { data: job } = await ann.supabase.rpc("start_sync_job", { p_source_app: "fathom" });
  await ann.supabase.rpc("run_pipeline_batch", { p_records: [record("a"), {}], p_sync_job_id: job });
  await ann.supabase.rpc("finish_sync_job", { p_sync_job_id: job });
  const { data } = await ann.supabase.from("import_sources").select("account_email, last_sync_at, error_message")
    .single();
  assert.deepEqual([data?.account_email, data?.error_message], ["ann@example.com", "1 new, 0 skipped, 1 failed"]);
  assert.notEqual(data?.last_sync_at, null);
});

Deno.test("import_sources of another user can be neither read nor changed", async () => {
  const ann = await newUser();
  const ben = await newUser();
  await connect(ann);
  const sources = ben.supabase.from("import_sources");
  assert.deepEqual((await sources.select()).data, []);
  assert.deepEqual((await sources.update({ is_active: false }).eq("user_id", ann.id).select()).data, []);
  assert.deepEqual((await sources.delete().eq("user_id", ann.id).select()).data, []);

  const theirs = { user_id: ann.id, source_app: "zoom", is_active: false };
  for (
    const written of [
      await sources.insert(theirs),
      await sources.insert({ ...theirs, source_app: "youtube" }),
      await sources.upsert(theirs, { onConflict: "user_id,source_app" }),
    ]
  ) {
    assert.deepEqual([written.status, written.error?.code], [403, "42501"]);
  }
  // A user can't give its own row to another user either.
  await connect(ben);
  const given = await sources.update({ user_id: ann.id }).eq("user_id", ben.id);
  assert.deepEqual([given.status, given.error?.code], [403, "42501"]);

  const { data } = await service.from("import_sources").select("source_app, is_active").eq("user_id", ann.id);
  assert.deepEqual(data, [{ source_app: "zoom", is_active: true }]);
});

Deno.test("anon can read and write no table", async () => {
  const tables = ["import_sources", "sync_jobs", "import_failures", "recordings", "vault_entries", "banks", "vaults"];
  for (const table of [...tables, "bank_memberships", "vault_memberships"]) {
    const id = crypto.randomUUID();
    for (
      const answer of [
        await anon.from(table).select(),
        await anon.from(table).insert({ id }),
        await anon.from(table).update({ id }).eq("id", id),
        await anon.from(table).delete().eq("id", id),
      ]
    ) {
      assert.deepEqual([answer.status, answer.error?.code], [401, "42501"], table);
    }
  }
});

Deno.test("a user sees only its own recordings, entries, jobs, failures and bank", async () => {
  const ann = await newUser();
  const ben = await newUser();
  for (const [user, id] of [[ann, "of Ann"], [ben, "of Ben"]] as const) {
    const { data: job } = await user.supabase.rpc("start_sync_job", { p_source_app: "fathom" });
    const records = [record(id), record(`${id}, bad`, { duration: -1 })];
    await user.supabase.rpc("run_pipeline_batch", { p_records: records, p_sync_job_id: job });
  }
  const seen = {
    recordings: (await ann.supabase.from("recordings").select("external_id:source_metadata->>external_id")).data,
    vault_entries: (await ann.supabase.from("vault_entries").select("recordings(owner_user_id)")).data,
    sync_jobs: (await ann.supabase.from("sync_jobs").select("synced_ids, failed_ids")).data,
    import_failures: (await ann.supabase.from("import_failures").select("external_id, code, attempts")).data,
    banks: (await ann.supabase.from("banks").select("name, type")).data,
  };
  assert.deepEqual(seen, {
    recordings: [{ external_id: "of Ann" }],
    vault_entries: [{ recordings: { owner_user_id: ann.id } }],
    sync_jobs: [{ synced_ids: ["of Ann"], failed_ids: ["of Ann, bad"] }],
    import_failures: [{ external_id: "of Ann, bad", code: "22023", attempts: 1 }],
    banks: [{ name: "Personal", type: "personal" }],
  });
});

Deno.test("source_metadata_ordered has external_id first in the text of the answer", async () => {
  const ann = await newUser();
  await ann.supabase.rpc("run_pipeline", {
    p_record: record("x", { source_metadata: { url: "https://a.example", a: 1 } }),
  });
  const body = await (await rest("recordings?select=*,source_metadata_ordered", ann.token)).text();
  // jsonb stores shorter keys first.
  assert.match(body, /"source_metadata":\{"a": 1, "url": "https:\/\/a\.example", "external_id": "x"\}/);
  assert.match(body, /"source_metadata_ordered":\{"external_id": "x", "a": 1, "url": "https:\/\/a\.example"\}/);
  const asked = "recordings?select=source_metadata_ordered&source_metadata->>external_id=eq.x&owner_user_id=eq.";
  assert.match(await (await rest(asked + ann.id, serviceKey)).text(), /\{"external_id": "x", "a": 1/);
  const refused = await rest(asked + ann.id, anonKey);
  assert.deepEqual([refused.status, (await refused.json()).code], [401, "42501"]);
});
