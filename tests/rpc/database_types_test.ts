// Compares typescript/database.types.ts with types generated from the database.
//
// The generator is the library that `supabase gen types` uses.

import assert from "node:assert/strict";
import { generateTypescript, sortGeneratorMetadata } from "@supabase/postgrest-typegen/generation";
import { introspect } from "@supabase/postgrest-typegen/introspection";
import { database } from "./support.ts";

const file = new URL("../../typescript/database.types.ts", import.meta.url);

const head =
  `// Tables and functions of the extension, for createClient<Database>(…). An application that generates types of its own
// database has all of this in them, and needs no second file.
//
// Made by dev/generate from the database. Not to be edited.
`;

async function typesOfDatabase(): Promise<string> {
  await using sql = database();
  const queries = { query: async (text: string) => ({ rows: [...await sql.unsafe(text)] }) };
  const schema = sortGeneratorMetadata(await introspect(queries, { includedSchemas: ["public"] }));
  // The library's own formatter needs native code.
  return head + await generateTypescript(schema, { format: formatted });
}

async function formatted(code: string): Promise<string> {
  const args = ["fmt", "--quiet", "--ext=ts", "-"];
  const formatter = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "piped" }).spawn();
  const output = new Response(formatter.stdout).text();
  const writer = formatter.stdin.getWriter();
  await writer.write(new TextEncoder().encode(code));
  await writer.close();
  assert.ok((await formatter.status).success);
  return await output;
}

Deno.test("typescript/database.types.ts has the types of the database", async () => {
  const types = await typesOfDatabase();
  if (Deno.env.has("CONNECTOR_PIPELINE_GENERATE")) await Deno.writeTextFile(file, types);
  assert.equal(
    await Deno.readTextFile(file),
    types,
    "typescript/database.types.ts is not what the database is: run dev/generate, and see what of it callers will notice",
  );
});
