import type { SupabaseClient } from "@supabase/supabase-js";
import { type ConnectorRecord, runPipelineBatch } from "../../connector-pipeline.ts";

/** Of hours of talk. */
const MAX_BYTES = 10 * 1024 * 1024;

/** What is used of Fathom's "new meeting content ready" (developers.fathom.ai/api-reference/webhook-payloads). */
interface Meeting {
  recording_id: number | string;
  title: string;
  meeting_title: string | null;
  url: string;
  share_url: string;
  recording_start_time: string;
  recording_end_time: string;
  transcript?: { speaker?: { display_name?: string } | null; text: string }[] | null;
  default_summary?: { markdown_formatted: string | null } | null;
}

/**
 * Imports the meeting of one request. Fathom sends again what was not answered with 2xx. So 2xx says that the meeting is
 * kept, imported or among the failed imports; anything else asks for it once more.
 */
export async function receiveMeeting(
  request: Request,
  supabase: SupabaseClient,
  secret: string,
  owner: string,
): Promise<Response> {
  if (request.method !== "POST") return new Response("POST only", { status: 405, headers: { Allow: "POST" } });
  // The signature is of the body to the letter: not of what a JSON parser makes of it.
  const body = await textOf(request);
  if (body === null) return new Response("this is too large", { status: 413 });
  if (!await isSigned(request.headers, body, secret)) return new Response("the signature is not good", { status: 401 });
  const meeting = objectIn(body);
  if (!meeting) return new Response("this is no meeting", { status: 400 });
  try {
    // A batch of one: what is wrong with a record would be wrong the next time too, and a batch keeps what failed.
    const { results: [result] } = await runPipelineBatch(supabase, owner, [recordOf(meeting)]);
    // Of a failure, a warning says that it could not be kept either.
    if (result.error && result.warning) throw new Error(`${result.error}; ${result.warning}`);
    if (result.error) console.error(`Fathom ${result.externalId} is kept as a failed import: ${result.error}`);
    return Response.json(result);
  } catch (error) {
    console.error("Fathom has to send this again:", error);
    return new Response("not imported", { status: 503 });
  }
}

/** The body, unless it is too large to be one of Fathom's: whoever has not signed it is to cost no more than reading it. */
async function textOf(request: Request): Promise<string | null> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of request.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_BYTES) return null;
  }
  return text + decoder.decode();
}

/** What else is wrong with it, the database tells: it keeps what it refuses. */
function objectIn(json: string): Meeting | null {
  try {
    const value = JSON.parse(json);
    return value instanceof Object && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

function recordOf(meeting: Meeting): ConnectorRecord {
  const { transcript, default_summary, ...metadata } = meeting;
  const id = meeting.recording_id;
  const length = Date.parse(meeting.recording_end_time) - Date.parse(meeting.recording_start_time);
  const lines = Array.isArray(transcript)
    ? transcript.map((line) => `${line?.speaker?.display_name ?? "?"}: ${line?.text ?? ""}`)
    : undefined;
  return {
    // Without an id it is refused, and kept. JSON.parse has made one of all numbers beyond 2^53 that are close.
    external_id: typeof id === "string" ? id : Number.isSafeInteger(id) ? String(id) : "",
    source_app: "fathom",
    title: meeting.meeting_title ?? meeting.title,
    full_transcript: lines?.join("\n") ?? (transcript ?? "") as string,
    recording_start_time: meeting.recording_start_time,
    recording_end_time: meeting.recording_end_time,
    duration: Math.round(length / 1000),
    summary: default_summary?.markdown_formatted,
    video_url: meeting.share_url,
    source_metadata: metadata,
  };
}

/**
 * Whether Fathom has sent this, in the last five minutes. As developers.fathom.ai/webhooks has it, which is the scheme of
 * standardwebhooks.com: HMAC-SHA256 of id, time and body, with the secret that follows `whsec_` in base64. The header may
 * hold several signatures, while a secret is being changed for another.
 */
async function isSigned(headers: Headers, body: string, secret: string): Promise<boolean> {
  const id = headers.get("webhook-id");
  const timestamp = headers.get("webhook-timestamp");
  // An old request that somebody has recorded is not to be sent again by them.
  if (!id || !timestamp || !(Math.abs(Date.now() / 1000 - Number(timestamp)) < 5 * 60)) return false;
  const key = await crypto.subtle.importKey(
    "raw",
    bytesOf(secret.replace(/^whsec_/, "")),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${body}`);
  const right = `v1,${btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.sign("HMAC", key, signed))))}`;
  const signatures = (headers.get("webhook-signature") ?? "").split(" ").slice(0, 10);
  return signatures.some((signature) => areEqual(signature, right));
}

/** In the same time wherever they differ, which would tell how much of a guess is right. */
function areEqual(one: string, other: string): boolean {
  let difference = one.length ^ other.length;
  for (let at = 0; at < other.length; at++) difference |= one.charCodeAt(at) ^ other.charCodeAt(at);
  return difference === 0;
}

function bytesOf(base64: string) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
