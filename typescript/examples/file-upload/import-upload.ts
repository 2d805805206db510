import type { SupabaseClient } from "@supabase/supabase-js";
import { type ConnectorRecord, PipelineError, runPipelineBatch } from "../../connector-pipeline.ts";

const MEGABYTE = 1024 * 1024;

/** A page of the application has another origin: without these, its browser sends no file and shows no answer. */
const corsHeaders = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Headers": "authorization, x-client-info, apikey, content-type",
};

/** Imports the file of one form: 201 where it is new, 200 where it was there already, else what is wrong with it. */
export async function importUpload(request: Request, supabase: SupabaseClient): Promise<Response> {
  const response = request.method === "OPTIONS" ? new Response("ok") : await answer(request, supabase);
  for (const [name, value] of Object.entries(corsHeaders)) response.headers.set(name, value);
  return response;
}

async function answer(request: Request, supabase: SupabaseClient): Promise<Response> {
  const form = await request.formData().catch(() => null);
  const file = form?.get("file");
  if (!form || !(file instanceof File)) return refuse(400, 'a form with a "file" is wanted');
  if (file.size > 10 * MEGABYTE) return refuse(413, `${file.name} has more than 10 MB`);
  const content = await file.arrayBuffer();
  let transcript: string | undefined;
  try {
    transcript = new TextDecoder("utf-8", { fatal: true }).decode(content);
  } catch {
    // Told below.
  }
  // Text has no NUL, which PostgreSQL could not store; recordings are full of them.
  if (transcript === undefined || transcript.includes("\0")) return refuse(415, `${file.name} is not text in UTF-8`);
  try {
    // A batch of one, for it keeps what failed: the transcript is not lost with the page that sent it.
    const record = { ...recordOf(form, file, transcript), external_id: await hashOf(content) };
    const { results: [result] } = await runPipelineBatch(supabase, null, [record]);
    const status = result.success ? 201 : result.skipped ? 200 : 422;
    return Response.json(result, { status });
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    // A session that has expired is the user's to renew; what else keeps the database from answering may pass.
    return refuse(error.status === 401 ? 401 : 503, error.message);
  }
}

function recordOf(form: FormData, file: File, transcript: string): Omit<ConnectorRecord, "external_id"> {
  return {
    source_app: "file-upload",
    title: textIn(form, "title") ?? file.name,
    full_transcript: transcript,
    // A browser sends the file without its date.
    recording_start_time: textIn(form, "recorded_at") ?? new Date().toISOString(),
    source_metadata: { file_name: file.name, file_size: file.size, mime_type: file.type },
  };
}

function textIn(form: FormData, name: string): string | undefined {
  const value = form.get(name);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A file has no id of a vendor, but its content: the same file again is a duplicate, whatever it is called by then. */
async function hashOf(content: ArrayBuffer): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function refuse(status: number, error: string): Response {
  return Response.json({ error }, { status });
}
