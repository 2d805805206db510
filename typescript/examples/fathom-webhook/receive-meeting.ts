import type { SupabaseClient } from "@supabase/supabase-js";
import { type ConnectorRecord, runPipelineBatch } from "../../connector-pipeline.ts";

/** What is used of Fathom's "new meeting content ready" (developers.fathom.ai/api-reference/webhook-payloads). */
interface Meeting {
  recording_id: number;
  title: string;
  meeting_title: string | null;
  url: string;
  share_url: string;
  recording_start_time: string;
  recording_end_time: string;
  transcript?: { speaker: { display_name: string }; text: string; timestamp: string }[] | null;
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
  const body = await request.text();
  if (!await isSigned(request.headers, body, secret)) return new Response("the signature is not good", { status: 401 });
  let record;
  try {
    record = recordOf(JSON.parse(body));
  } catch (error) {
    console.error("Fathom sent what is no meeting:", error);
    return new Response("this is no meeting", { status: 400 });
  }
  try {
    // A batch of one: what is wrong with a record would be wrong the next time too, and a batch keeps what failed.
    const { results: [result] } = await runPipelineBatch(supabase, owner, [record]);
    if (result.error) console.error(`Fathom ${result.externalId} is kept as a failed import: ${result.error}`);
    return Response.json(result);
  } catch (error) {
    console.error("Fathom has to send this again:", error);
    return new Response("not imported", { status: 503 });
  }
}

function recordOf(meeting: Meeting): ConnectorRecord {
  const { transcript, default_summary, ...metadata } = meeting;
  const length = Date.parse(meeting.recording_end_time) - Date.parse(meeting.recording_start_time);
  return {
    // Without an id it is refused. "undefined" would do as one, for the first meeting.
    external_id: String(meeting.recording_id ?? ""),
    source_app: "fathom",
    title: meeting.meeting_title ?? meeting.title,
    full_transcript: (transcript ?? []).map((line) => `${line.speaker.display_name}: ${line.text}`).join("\n"),
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
  const signatures = (headers.get("webhook-signature") ?? "").split(" ");
  // An old request that somebody has recorded is not to be sent again by them.
  if (!id || !timestamp || !(Math.abs(Date.now() / 1000 - Number(timestamp)) < 5 * 60)) return false;
  const key = await crypto.subtle.importKey(
    "raw",
    bytesOf(secret.replace(/^whsec_/, "")),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["verify"],
  );
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${body}`);
  for (const signature of signatures) {
    const [, encoded] = /^v1,([A-Za-z0-9+/]{43}=)$/.exec(signature) ?? [];
    // verify() takes the same time whatever is wrong. Comparing strings tells by its time how much of a guess is right.
    if (encoded && await crypto.subtle.verify("HMAC", key, bytesOf(encoded), signed)) return true;
  }
  return false;
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
