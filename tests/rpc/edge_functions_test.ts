// Runs each example as Supabase does: in its own process, with the project in its environment.

import assert from "node:assert/strict";
import { Webhook } from "standardwebhooks";
import { anonKey, jwt, newUser, project, serviceKey, sockets } from "./support.ts";

const sources = new URL("../../typescript/", import.meta.url).pathname;
const functions = `${sockets}/functions`;

/** Copies a function and the module into Supabase's folders, adapts the import, returns index.ts. */
async function copy(name: string): Promise<string> {
  for (const folder of ["_shared", name]) await Deno.mkdir(`${functions}/${folder}`, { recursive: true });
  for (const file of ["connector-pipeline.ts", "database.types.ts"]) {
    await Deno.writeTextFile(`${functions}/_shared/${file}`, await Deno.readTextFile(sources + file));
  }
  // Uses the tests' lock file: only modules in that file are in the cache.
  await Deno.writeTextFile(`${functions}/deno.lock`, await Deno.readTextFile(`${sources}../deno.lock`));
  for await (const { name: file } of Deno.readDir(`${sources}examples/${name}`)) {
    const source = await Deno.readTextFile(`${sources}examples/${name}/${file}`);
    const adapted = source.replace("../../connector-pipeline.ts", "../_shared/connector-pipeline.ts");
    await Deno.writeTextFile(`${functions}/${name}/${file}`, adapted);
  }
  return `${functions}/${name}/index.ts`;
}

/** Serves a function. Close it with `await using`. */
async function serve(name: string, env: Record<string, string>) {
  const entry = await copy(name);
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--check",
      `--lock=${functions}/deno.lock`,
      "--cached-only",
      "--no-prompt",
      "--allow-env",
      "--allow-net=127.0.0.1",
      entry,
    ],
    env: { ...env, DENO_SERVE_ADDRESS: "tcp:127.0.0.1:0", NO_COLOR: "1" },
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const output = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  while (!/Listening on (\S+)\/\s/.test(said)) {
    const { value, done } = await output.read();
    if (done) throw new Error(`${name} did not start: ${said}`);
    said += value;
  }
  return {
    url: /Listening on (\S+)\/\s/.exec(said)![1],
    async [Symbol.asyncDispose]() {
      child.kill();
      await output.cancel();
      await child.status;
    },
  };
}

Deno.test("file-upload imports as the calling user and refuses anon", async () => {
  await using api = await project();
  await using server = await serve("file-upload", { SUPABASE_URL: api.url, SUPABASE_ANON_KEY: anonKey });
  const user = await newUser();
  const upload = (token: string) => {
    const body = new FormData();
    body.set("file", new File(["Ann: hello."], "talk.txt"));
    return fetch(server.url, { method: "POST", body, headers: { Authorization: `Bearer ${token}` } });
  };
  for (const [token, status] of [[user.token, 201], [user.token, 200], [anonKey, 401]] as const) {
    const response = await upload(token);
    await response.body?.cancel();
    assert.equal(response.status, status);
  }
  const { data } = await user.supabase.from("recordings").select("owner_user_id, title").throwOnError();
  assert.deepEqual(data, [{ owner_user_id: user.id, title: "talk.txt" }]);
});

Deno.test("fathom-webhook imports for its configured user with the service key", async () => {
  const user = await newUser();
  const secret = `whsec_${btoa("a secret of twenty-four b")}`;
  await using api = await project();
  await using server = await serve("fathom-webhook", {
    SUPABASE_URL: api.url,
    SUPABASE_SERVICE_ROLE_KEY: serviceKey,
    FATHOM_WEBHOOK_SECRET: secret,
    FATHOM_WEBHOOK_USER_ID: user.id,
  });
  const body = await Deno.readTextFile(new URL("fixtures/fathom/new-meeting-content-ready.json", import.meta.url));
  const now = new Date();
  const headers = {
    "webhook-id": "msg_1",
    "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
    "webhook-signature": new Webhook(secret).sign("msg_1", now, body),
  };
  const answers = [];
  for (const signed of [headers, headers, { ...headers, "webhook-id": "msg_2" }]) {
    const response = await fetch(server.url, { method: "POST", body, headers: signed });
    answers.push([response.status, /"(success|skipped)":true/.exec(await response.text())?.[1]]);
  }
  assert.deepEqual(answers, [[200, "success"], [200, "skipped"], [401, undefined]]);
  const { count } = await user.supabase.from("recordings").select("*", { count: "exact", head: true });
  assert.equal(count, 1);
});

Deno.test("fathom-webhook doesn't start without its user or its secret", async () => {
  const complete = { SUPABASE_URL: "http://127.0.0.1", SUPABASE_SERVICE_ROLE_KEY: serviceKey };
  for (const name of ["FATHOM_WEBHOOK_SECRET", "FATHOM_WEBHOOK_USER_ID"]) {
    await assert.rejects(serve("fathom-webhook", { ...complete, [name]: "x" }), /did not start.*have to be set/s);
  }
});

Deno.test("zoom-sync runs as the calling user and answers 502 if Zoom can't be reached", async () => {
  await using api = await project();
  await using server = await serve("zoom-sync", { SUPABASE_URL: api.url, SUPABASE_ANON_KEY: anonKey });
  const user = await newUser();
  const call = (token: string) =>
    fetch(server.url, {
      method: "POST",
      body: JSON.stringify({ zoomToken: "zoom's token" }),
      headers: { Authorization: `Bearer ${token}` },
    });
  const expired = await call(jwt({ role: "authenticated", sub: user.id, exp: 1 }));
  assert.deepEqual([expired.status, await expired.json()], [401, { error: "start_sync_job: JWT expired" }]);
  // The process may connect to 127.0.0.1 only, not to Zoom.
  const response = await call(user.token);
  const { status, problems } = await response.json();
  assert.deepEqual([response.status, status], [502, "failed"]);
  assert.match(problems[0], /api\.zoom\.us/);
  const { data } = await user.supabase.from("import_sources").select("error_message").throwOnError();
  assert.deepEqual(data, [{ error_message: problems[0] }]);
});
