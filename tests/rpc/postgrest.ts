// Makes a database and a PostgREST for a single test.

import type { SupabaseClient } from "@supabase/supabase-js";
import { clientOf, database, fetchThrough, sockets } from "./support.ts";

/** Makes a database with a user and the extension, installed by a superuser as on Supabase. */
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

/** Calls bootstrap() as the owner of the database. */
export async function bootstrap(name: string): Promise<void> {
  await using owner = database(name, "app_owner");
  await owner`SELECT connector_pipeline.bootstrap()`;
}

/** A PostgREST for one test. Close it with `await using`. */
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
      // Ends the process, so that a wait for a log line that doesn't come fails.
      signal: AbortSignal.timeout(20_000),
    }).spawn();
    this.#log = this.#program.stderr.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  }

  /** Waits for the next log line that contains a text. */
  async logged(part: string): Promise<void> {
    for (let text = await this.#log.next(); !text.value?.includes(part); text = await this.#log.next()) {
      if (text.done) throw new Error(`PostgREST ended and has not logged ${part}`);
    }
  }

  supabase(token: string): SupabaseClient {
    return clientOf(token, fetchThrough(this.#socket));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#program.kill("SIGTERM");
    } catch (error) {
      // The process has ended already.
      if (!(error instanceof TypeError)) throw error;
    }
    await this.#program.status;
  }
}
