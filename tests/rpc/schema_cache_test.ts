// Tests PostgREST's schema cache and exposed schemas.

import assert from "node:assert/strict";
import { jwt, record } from "./support.ts";
import { bootstrap, newDatabase, Postgrest } from "./postgrest.ts";

Deno.test("a PostgREST started before bootstrap() finds the tables after it without a restart", async () => {
  const { user } = await newDatabase("rpc_empty", "public");
  await using postgrest = new Postgrest("rpc_empty", "public");
  await postgrest.logged("Schema cache loaded");
  const supabase = postgrest.supabase(jwt({ role: "authenticated", sub: user }));
  const connect = async () => {
    const source = { user_id: user, source_app: "zoom" };
    return (await supabase.from("import_sources").upsert(source, { onConflict: "user_id,source_app" })).status;
  };
  assert.equal(await connect(), 404);
  const { data: result } = await supabase.rpc("run_pipeline", { p_record: record("a") });
  assert.deepEqual([result.success, result.code], [false, "42P01"]);
  assert.match(result.error, /Run SELECT \* FROM connector_pipeline\.bootstrap\(\)/);

  await bootstrap("rpc_empty");
  await postgrest.logged("Schema cache loaded");
  assert.equal((await supabase.rpc("run_pipeline", { p_record: record("a") })).data.success, true);
  assert.equal(await connect(), 201);
  // PostgREST knows the foreign keys for joins only from its cache.
  const { data: joined } = await supabase.from("recordings").select("title, vault_entries(vaults(name))");
  assert.deepEqual(joined, [{ title: "Weekly", vault_entries: [{ vaults: { name: "Personal" } }] }]);
});

Deno.test("functions of an extension in another schema are called through that schema", async () => {
  const { user } = await newDatabase("rpc_elsewhere", "api");
  await bootstrap("rpc_elsewhere");
  await using postgrest = new Postgrest("rpc_elsewhere", "public,api");
  await postgrest.logged("Schema cache loaded");
  const supabase = postgrest.supabase(jwt({ role: "authenticated", sub: user }));
  assert.equal((await supabase.rpc("run_pipeline", { p_record: record("a") })).status, 404);
  assert.equal((await supabase.schema("api").rpc("run_pipeline", { p_record: record("a") })).data.success, true);
  assert.equal((await supabase.schema("api").from("recordings").select()).data?.length, 1);
});
