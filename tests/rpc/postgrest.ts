// A database and a PostgREST of a test's own.

import type { SupabaseClient } from "@supabase/supabase-js";
import { clientOf, database, fetchThrough, sockets } from "./support.ts";

/** A new database with the extension in a schema, made by a superuser as on Supabase, and a user in it. */
export async function newDatabase(name: string, schema: string): Promise<{ user: string }> {
  await using maintenance = database("postgres");
  await maintenance`DROP DATABASE IF EXISTS ${maintenance(name)} WITH (FORCE)`;
  await maintenance`CREATE DATABASE ${maintenance(name)} TEMPLATE template0 OWNER app_owner`;
  await using superuser = database(name);
  await superuser`CREATE SCHEMA IF NOT EXISTS ${superuser(schema)} AUTHORIZATION pg_database_owner`;
  await superuser`CREATE EXTENSION connector_pipeline WITH SCHEMA ${superuser(schema)}`;
  await superuser`SELECT connector_pipeline.bootstrap_auth()`;
  const user = crypto.randomUUID();
  await superuser`INSERT INTO auth.users (id) VALUES (${user})`;
  return { user };
}

/** What the owner of the database does once. */
export async function bootstrap(name: string): Promise<void> {
  await using owner = database(name, "app_owner");
  await owner`SELECT connector_pipeline.bootstrap()`;
}

/** A PostgREST for one test, to be closed with `await using`. */
export class Postgrest implements AsyncDisposable {
  #socket = `${sockets}/postgrest-of-test`;
  #program: Deno.ChildProcess;
  #log: AsyncIterator<string>;

  constructor(database: string, schemas: string, settings: Record<string, string> = {}) {
    this.#program = new Deno.Command(Deno.env.get("CONNECTOR_PIPELINE_TEST_POSTGREST")!, {
      env: {
        PGRST_DB_URI: `host=${sockets} user=authenticator dbname=${database}`,
        PGRST_DB_SCHEMAS: schemas,
        PGRST_SERVER_UNIX_SOCKET: this.#socket,
        ...settings,
      },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      // Whoever waits for a line of the log that doesn't come is told of its end.
      signal: AbortSignal.timeout(20_000),
    }).spawn();
    this.#log = this.#program.stderr.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  }

  /** Waits for a line of the log that has not been waited for yet. */
  async told(what: string): Promise<void> {
    for (let text = await this.#log.next(); !text.value?.includes(what); text = await this.#log.next()) {
      if (text.done) throw new Error(`PostgREST has ended without ${what}`);
    }
  }

  supabase(token: string): SupabaseClient {
    return clientOf(token, fetchThrough(this.#socket));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#program.kill("SIGTERM");
    } catch (error) {
      // It has ended already.
      if (!(error instanceof TypeError)) throw error;
    }
    await this.#program.status;
  }
}
