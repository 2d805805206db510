// Connects to the API that dev/rpc has started, as each role, and to its database.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import postgres from "postgres";

export const sockets = required("CONNECTOR_PIPELINE_TEST_SOCKETS");
const secret = required("PGRST_JWT_SECRET");

function required(name: string): string {
  const value = Deno.env.get(name);
  if (value === undefined) throw new Error(`${name} is not set: the tests are run by dev/test or dev/test rpc`);
  return value;
}

/** Returns a fetch for a PostgREST on a Unix socket.
 *
 *  Removes the path /rest/v1, which supabase-js adds for Supabase. */
export function fetchThrough(socket: string): typeof fetch {
  const client = Deno.createHttpClient({ proxy: { transport: "unix", path: socket } });
  return (input, init) => fetch(String(input).replace("/rest/v1", ""), { ...init, client });
}

const fetchRest = fetchThrough(`${sockets}/postgrest`);

/** Any address works: requests go to the socket. */
const url = "http://127.0.0.1";

/** Signs a JSON web token as Supabase does. */
export function jwt(claims: Record<string, unknown>): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const expires = Math.floor(Date.now() / 1000) + 3600;
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part({ exp: expires, ...claims })}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

export const anonKey = jwt({ role: "anon" });
export const serviceKey = jwt({ role: "service_role" });

/** Makes a client with the project's key and the calling user's JWT, as an edge function does. */
export function clientOf(token: string, through: typeof fetch = fetchRest): SupabaseClient {
  return createClient(url, anonKey, {
    global: { headers: { Authorization: `Bearer ${token}` }, fetch: through },
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
  });
}

export const anon = clientOf(anonKey);
export const service = clientOf(serviceKey);

/** Sends a request with fetch, without supabase-js. */
export function rest(path: string, token: string, init: RequestInit = {}): Promise<Response> {
  const headers = { apikey: anonKey, Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  return fetchRest(`${url}/rest/v1/${path}`, { ...init, headers: { ...headers, ...init.headers } });
}

/** Serves the address of a Supabase project, for code that makes its own client.
 *
 *  Close the server with `await using`. */
export function project(): { url: string } & AsyncDisposable {
  const listening = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const server = Deno.serve(listening, async (request) => {
    const { pathname, search } = new URL(request.url);
    const body = request.body === null ? null : await request.arrayBuffer();
    return await fetchRest(`${url}${pathname}${search}`, { method: request.method, headers: request.headers, body });
  });
  return { url: `http://127.0.0.1:${server.addr.port}`, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** Connects to a database to prepare and count rows.
 *
 *  Close the connection with `await using sql = database()`. */
export function database(name = "rpc", user = "postgres"): postgres.Sql & AsyncDisposable {
  const sql = postgres({ host: sockets, user, database: name, onnotice: () => {}, max: 4 });
  return Object.assign(sql, { [Symbol.asyncDispose]: () => sql.end() });
}

/** Runs `change` as the owner of the tables, then `work`, then `undo`. */
export async function whileChanged(change: string, undo: string, work: () => Promise<void>): Promise<void> {
  await using sql = database("rpc", "app_owner");
  await sql.unsafe(change);
  try {
    await work();
  } finally {
    await sql.unsafe(undo);
  }
}

/** Revokes the privilege to keep failed imports while `work` runs. */
export function whileNothingIsKept(work: () => Promise<void>): Promise<void> {
  const on = "INSERT ON public.import_failures";
  const callers = "authenticated, service_role";
  return whileChanged(`REVOKE ${on} FROM ${callers}`, `GRANT ${on} TO ${callers}`, work);
}

/** Runs a statement of PL/pgSQL before each insert of a user's recordings, while `work` runs. */
export function whileInserting(user: User, statement: string, work: () => Promise<void>): Promise<void> {
  return whileChanged(
    `CREATE FUNCTION public.before_insert() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
       $$ BEGIN ${statement}; RETURN new; END $$;
     CREATE TRIGGER before_insert BEFORE INSERT ON public.recordings FOR EACH ROW
       WHEN (new.owner_user_id = '${user.id}') EXECUTE FUNCTION public.before_insert()`,
    "DROP FUNCTION public.before_insert() CASCADE",
    work,
  );
}

export interface User {
  id: string;
  token: string;
  supabase: SupabaseClient;
}

/** Makes a user who has just signed up.
 *
 *  The tests share a database, so each test makes its own users. */
export async function newUser(): Promise<User> {
  const id = crypto.randomUUID();
  await using sql = database();
  await sql`INSERT INTO auth.users (id, email) VALUES (${id}, ${id + "@example.com"})`;
  const token = jwt({ role: "authenticated", sub: id });
  return { id, token, supabase: clientOf(token) };
}

/** Makes a valid record, with changed or additional keys. */
export function record(externalId: string | number, changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    external_id: externalId,
    source_app: "fathom",
    title: "Weekly",
    full_transcript: "Ann: hello.\nBen: hello, Ann.",
    recording_start_time: "2026-01-31T09:30:00Z",
    ...changes,
  };
}

/** Matches any id in an answer. */
export const ANY_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Compares an answer with the expected one, in which a regular expression matches strings. */
export function assertLike(actual: unknown, expected: unknown): void {
  assert.deepEqual(withMatches(actual, expected), expected);
}

function withMatches(actual: unknown, expected: unknown): unknown {
  if (expected instanceof RegExp) return typeof actual === "string" && expected.test(actual) ? expected : actual;
  if (typeof actual !== "object" || actual === null || typeof expected !== "object" || expected === null) return actual;
  const like = (key: string, value: unknown) => withMatches(value, (expected as Record<string, unknown>)[key]);
  if (Array.isArray(actual)) return actual.map((value, index) => like(String(index), value));
  return Object.fromEntries(Object.entries(actual).map(([key, value]) => [key, like(key, value)]));
}

/** The HTTP status and body of a call. */
export interface Answer {
  status: number;
  body: unknown;
}

/** Calls a function by supabase-js; returns its data, or the error that PostgREST sent. */
export async function call(
  supabase: SupabaseClient,
  name: string,
  args: Record<string, unknown> = {},
  options: { get?: boolean } = {},
): Promise<Answer> {
  const { status, data, error } = await supabase.rpc(name, args, options);
  if (error === null) return { status, body: data };
  const { code, message, details, hint } = error;
  return { status, body: { code, message, details, hint } };
}
