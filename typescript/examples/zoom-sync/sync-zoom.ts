import type { SupabaseClient } from "@supabase/supabase-js";
import {
  checkDuplicates,
  type ConnectorRecord,
  finishSyncJob,
  PipelineError,
  runPipelineBatch,
  startSyncJob,
} from "../../connector-pipeline.ts";

/** What is used of a recording in Zoom's answer to GET /users/{userId}/recordings. */
interface Meeting {
  uuid: string;
  topic: string;
  start_time: string;
  duration: number;
  share_url?: string;
  recording_files?: { file_type: string; status: string; download_url: string }[];
}

class ZoomError extends Error {
  constructor(readonly status: number, message: string) {
    super(`Zoom: ${status} ${message}`);
  }
}

interface Run {
  job: string;
  skipped: number;
  problems: string[];
}

const DAY = 24 * 60 * 60 * 1000;
const dayOf = (time: number) => new Date(time).toISOString().slice(0, 10);

/** One sync run. Whatever happens on the way, the job that it leaves in `sync_jobs` tells how it went. */
export async function syncZoom(request: Request, supabase: SupabaseClient, zoomApi = "https://api.zoom.us/v2") {
  const { zoomToken, from, to } = await request.json().catch(() => null) ?? {};
  if (!zoomToken) return Response.json({ error: "zoomToken is missing" }, { status: 400 });
  try {
    const run: Run = { job: await startSyncJob(supabase, null, "zoom"), skipped: 0, problems: [] };
    try {
      // Zoom takes a month at most.
      const range = { from: from ?? dayOf(Date.now() - 30 * DAY), to: to ?? dayOf(Date.now()), page_size: "30" };
      for await (const meetings of listRecordings(zoomApi, zoomToken, range)) {
        await importNew(supabase, run, meetings, zoomToken);
      }
    } catch (error) {
      // The pages before are in. The next run skips them, and goes on from here.
      run.problems.push(error instanceof Error ? error.message : String(error));
    }
    // The batches have not seen what was known before them.
    const { error } = await supabase.from("sync_jobs").update({ skipped_count: run.skipped }).eq("id", run.job);
    if (error) run.problems.push(error.message);
    const summary = await finishSyncJob(supabase, run.job, run.problems.join("; "));
    return Response.json({ ...summary, problems: run.problems }, { status: run.problems.length > 0 ? 502 : 200 });
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    return Response.json({ error: error.message }, { status: error.status === 401 ? 401 : 503 });
  }
}

/** Imports of a page what is new, in one batch. */
async function importNew(supabase: SupabaseClient, run: Run, meetings: Meeting[], zoomToken: string): Promise<void> {
  // Asked before the transcripts are fetched: what is known costs no request to Zoom.
  const known = await checkDuplicates(supabase, null, "zoom", meetings.map((meeting) => meeting.uuid));
  const records: ConnectorRecord[] = [];
  let end: unknown;
  for (const meeting of meetings.filter((meeting) => !known.has(meeting.uuid) && isComplete(meeting))) {
    try {
      records.push(recordOf(meeting, await fetchTranscript(meeting, zoomToken)));
    } catch (error) {
      // A token that has expired or a limit that is reached ends the run, after what is fetched is in. Another failure
      // keeps this recording out alone: without its transcript it would be known from then on, and never get one.
      if (!(error instanceof ZoomError) || [401, 429].includes(error.status)) end = error;
      else run.problems.push(`${meeting.topic}: ${error.message}`);
    }
    if (end) break;
  }
  const { skipped } = await runPipelineBatch(supabase, null, records, { syncJobId: run.job });
  run.skipped += known.size + skipped;
  if (end) throw end;
}

/** Zoom makes the transcript after the recording, which has no trace of it until then: a young one is left for later. */
function isComplete({ start_time, duration, recording_files = [] }: Meeting): boolean {
  const isOld = Date.parse(start_time) + duration * 60_000 < Date.now() - DAY;
  const hasTranscript = recording_files.some((file) => file.file_type === "TRANSCRIPT");
  return (isOld || hasTranscript) && recording_files.every((file) => file.status === "completed");
}

function recordOf(meeting: Meeting, transcript: string): ConnectorRecord {
  return {
    // Not the meeting's number (`id`), which all meetings of a series share.
    external_id: meeting.uuid,
    source_app: "zoom",
    title: meeting.topic,
    full_transcript: transcript,
    recording_start_time: meeting.start_time,
    duration: meeting.duration * 60, // Zoom counts minutes
    video_url: meeting.share_url,
    // Without the links to the files, which are of use to nobody but who has the token.
    source_metadata: { ...meeting, recording_files: meeting.recording_files?.map((file) => file.file_type) },
  };
}

async function fetchTranscript(meeting: Meeting, zoomToken: string): Promise<string> {
  const file = meeting.recording_files?.find((file) => file.file_type === "TRANSCRIPT");
  return file ? textOf(await (await askZoom(file.download_url, zoomToken)).text()) : "";
}

/** The spoken lines of a WebVTT file: of each cue what follows its times. */
function textOf(vtt: string): string {
  const spoken = vtt.replaceAll("\r", "").split(/\n{2,}/).map((cue) => /-->.*\n([^]*)/.exec(cue)?.[1].trim());
  return spoken.filter(Boolean).join("\n");
}

async function* listRecordings(zoomApi: string, zoomToken: string, query: Record<string, string>) {
  let next_page_token = "";
  do {
    const parameters = new URLSearchParams({ ...query, next_page_token });
    const answer = await askZoom(`${zoomApi}/users/me/recordings?${parameters}`, zoomToken);
    const page: { meetings: Meeting[]; next_page_token: string } = await answer.json();
    yield page.meetings;
    next_page_token = page.next_page_token;
  } while (next_page_token);
}

async function askZoom(url: string, zoomToken: string): Promise<Response> {
  const response = await fetch(url, { headers: { Authorization: `Bearer ${zoomToken}` } });
  if (response.ok) return response;
  const answer = await response.text();
  throw new ZoomError(response.status, /"message":\s*"([^"]*)"/.exec(answer)?.[1] ?? answer.slice(0, 200));
}
