// PostgREST knows tables from its schema cache. bootstrap() has it look again.

import assert from "node:assert/strict";
import { clientOf, database, fetchThrough, jwt, record, sockets } from "./support.ts";

/** A PostgREST of the test's own, and its log line by line. */
function postgrest(
  name: string,
): { supabase: (token: string) => ReturnType<typeof clientOf>; log: AsyncIterator<string> } & AsyncDisposable {
  const socket = `${sockets}/postgrest-of-test`;
  const program = new Deno.Command(Deno.env.get("CONNECTOR_PIPELINE_TEST_POSTGREST")!, {
    env: { PGRST_DB_URI: `host=${sockets} user=authenticator dbname=${name}`, PGRST_SERVER_UNIX_SOCKET: socket },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    // Whoever waits for a line of the log that doesn't come is told of its end.
    signal: AbortSignal.timeout(20_000),
  }).spawn();
  const lines = program.stderr.pipeThrough(new TextDecoderStream());
  return {
    supabase: (token) => clientOf(token, fetchThrough(socket)),
    log: lines[Symbol.asyncIterator](),
    async [Symbol.asyncDispose]() {
      try {
        program.kill("SIGTERM");
      } catch (error) {
        // It has ended already.
        if (!(error instanceof TypeError)) throw error;
      }
      await program.status;
    },
  };
}

async function told(log: AsyncIterator<string>, what: string): Promise<void> {
  for (let text = await log.next(); !text.value?.includes(what); text = await log.next()) {
    if (text.done) throw new Error(`PostgREST has ended without ${what}`);
  }
}

Deno.test("a PostgREST that was there before bootstrap() has the tables after it, without a restart", async () => {
  const user = crypto.randomUUID();
  await using maintenance = database("postgres");
  await maintenance`DROP DATABASE IF EXISTS rpc_empty WITH (FORCE)`;
  await maintenance`CREATE DATABASE rpc_empty TEMPLATE template0 OWNER app_owner`;
  await using superuser = database("rpc_empty");
  await superuser`CREATE EXTENSION connector_pipeline`;
  await superuser`SELECT connector_pipeline.bootstrap_auth()`;
  await superuser`INSERT INTO auth.users (id) VALUES (${user})`;

  await using server = postgrest("rpc_empty");
  await told(server.log, "Schema cache loaded");
  const supabase = server.supabase(jwt({ role: "authenticated", sub: user }));
  const connect = () =>
    supabase.from("import_sources").upsert({ user_id: user, source_app: "zoom" }, { onConflict: "user_id,source_app" });
  const early = await connect();
  assert.equal(early.status, 404);
  const { data: result } = await supabase.rpc("run_pipeline", { p_record: record("a") });
  assert.deepEqual([result.success, result.code], [false, "42P01"]);
  assert.match(result.error, /Run SELECT \* FROM connector_pipeline\.bootstrap\(\)/);

  await using owner = database("rpc_empty", "app_owner");
  await owner`SELECT connector_pipeline.bootstrap()`;
  await told(server.log, "Schema cache loaded");
  assert.equal((await supabase.rpc("run_pipeline", { p_record: record("a") })).data.success, true);
  assert.deepEqual(await connect().then(({ status, error }) => [status, error]), [201, null]);
  // What PostgREST joins by foreign keys, it knows from the cache alone.
  const { data: joined } = await supabase.from("recordings").select("title, vault_entries(vaults(name))");
  assert.deepEqual(joined, [{ title: "Weekly", vault_entries: [{ vaults: { name: "Personal" } }] }]);
});
