// Provokes each code of the README's table of errors and checks its HTTP status.

import assert from "node:assert/strict";
import {
  anon,
  type Answer,
  call,
  clientOf,
  database,
  jwt,
  newUser,
  record,
  rest,
  service,
  whileChanged,
  whileInserting,
} from "./support.ts";
import { Postgrest } from "./postgrest.ts";

const ann = await newUser();
const ben = await newUser();
await ann.supabase.rpc("run_pipeline", { p_record: record("known") });

const insert = (externalId: string, args: Record<string, unknown> = {}) =>
  call(ann.supabase, "insert_recording", { p_record: record(externalId), ...args });

const send = async (body: string): Promise<Answer> => {
  const answer = await rest("rpc/insert_recording", ann.token, { method: "POST", body });
  return { status: answer.status, body: await answer.json() };
};

/** Calls insert_recording with a trigger that runs a PL/pgSQL statement first. */
const insertWith = async (statement: string): Promise<Answer> => {
  let answer: Answer | undefined;
  await whileInserting(ann, statement, async () => {
    answer = await insert("with a trigger");
  });
  return answer!;
};

const raised = (code: string) => () => insertWith(`RAISE EXCEPTION 'raised by a test' USING ERRCODE = '${code}'`);

/** Calls insert_recording after a change by the owner of the tables, and undoes the change. */
const insertAfterChange = async (change: string, undo: string): Promise<Answer> => {
  let answer: Answer | undefined;
  await whileChanged(change, undo, async () => {
    answer = await insert("after a change");
  });
  return answer!;
};

/** Sends two calls to a pool whose only connection waits for a lock; returns the first answer. */
const insertWithoutFreeConnection = async (): Promise<Answer> => {
  const pool = { PGRST_DB_POOL: "1", PGRST_DB_POOL_ACQUISITION_TIMEOUT: "1" };
  await using api = new Postgrest("rpc", "public", pool);
  await api.logged("Schema cache loaded");
  const insertInto = (externalId: string) =>
    call(api.supabase(ann.token), "insert_recording", { p_record: record(externalId) });
  await using sql = database();
  let calls: Promise<Answer>[] = [];
  const answer = await sql.begin(async (locking) => {
    await locking`LOCK TABLE public.recordings`;
    calls = ["one", "other"].map(insertInto);
    return await Promise.race(calls);
  });
  await Promise.all(calls);
  return answer;
};

const provocations: Record<string, () => Promise<Answer>> = {
  "22023 400": () => insert(" "),
  "22004 400": () => call(ann.supabase, "insert_recording", { p_record: null }),
  "22P02 400": () => insert("x", { p_user_id: "seven" }),
  "22P05 400": () => insert("a\0b"),
  "23503 409": () => call(service, "insert_recording", { p_record: record("x"), p_user_id: crypto.randomUUID() }),
  "23505 409": () => insert("known"),
  "23514 400": () =>
    insertAfterChange(
      `ALTER TABLE public.recordings ADD CONSTRAINT of_a_test CHECK (owner_user_id <> '${ann.id}') NOT VALID`,
      "ALTER TABLE public.recordings DROP CONSTRAINT of_a_test",
    ),
  "P0001 400": () => insertWith("RAISE EXCEPTION 'quota' USING ERRCODE = 'QUOTA'"),
  "25006 405": () => call(ann.supabase, "start_sync_job", { p_source_app: "fathom" }, { get: true }),
  "42501 403": () => insert("x", { p_user_id: ben.id }),
  "42501 401": () => call(anon, "insert_recording", { p_record: record("x") }),
  "42P01 404": () =>
    insertAfterChange("ALTER TABLE public.recordings RENAME TO away", "ALTER TABLE public.away RENAME TO recordings"),
  "42P10 400": () =>
    insertAfterChange(
      "DROP INDEX public.recordings_dedup_key",
      "SELECT connector_pipeline.bootstrap()",
    ),
  "42804 400": raised("42804"),
  "0A000 400": raised("0A000"),
  "09000 500": () => insertWith("RETURN NULL"),
  "40P01 500": raised("40P01"),
  "55P03 500": raised("55P03"),
  "57014 500": raised("57014"),
  "54000 413": raised("54000"),
  "57P01 503": raised("57P01"),
  "P0002 500": raised("P0002"),
  "PGRST003 504": insertWithoutFreeConnection,
  "53xxx 503": raised("53100"),
  "58xxx 500": raised("58030"),
  "XXxxx 500": raised("XX000"),
  "PGRST102 400": () => send("{"),
  "PGRST202 404": () => call(ann.supabase, "insert_recording", { record: record("x") }),
  "PGRST301 401": () => call(clientOf(jwt({ role: "authenticated", sub: ann.id, exp: 1 })), "get_import_counts"),
};

/** Returns the codes of the table with their status. Codes without a status can't occur over HTTP. */
function documented(readme: string): string[] {
  const table = readme.slice(readme.indexOf("### Errors"), readme.indexOf("### Failed records"));
  const rows = table.split("\n").filter((line) => line.startsWith("| ")).map((line) => line.split("|"));
  return rows.flatMap(([, codes, status]) =>
    /^\d{3}$/.test(status.trim()) ? [...codes.matchAll(/\w{5,}/g)].map(([code]) => `${code} ${status.trim()}`) : []
  );
}

Deno.test("the README's table of errors lists exactly the codes that are tested", async () => {
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  assert.deepEqual(documented(readme).sort(), Object.keys(provocations).sort());
});

for (const [expected, provoke] of Object.entries(provocations)) {
  Deno.test(`code and status ${expected} are answered as the README says`, async () => {
    const { status, body } = await provoke();
    const { code, message } = body as { code: string; message: string };
    const [documentedCode, documentedStatus] = expected.split(" ");
    assert.match(code, new RegExp(`^${documentedCode.replace("xxx", "...")}$`), message);
    assert.equal(`${status}`, documentedStatus);
    assert.notEqual(message, "");
  });
}

Deno.test("a SQLSTATE that PostgreSQL does not define is named in the details", async () => {
  const { body } = await insertWith("RAISE EXCEPTION 'quota' USING ERRCODE = 'QUOTA', DETAIL = 'Three a day.'");
  assert.deepEqual(body, { code: "P0001", message: "quota", details: "SQLSTATE QUOTA. Three a day.", hint: null });
});
