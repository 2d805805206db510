import type { SupabaseClient } from "@supabase/supabase-js";
import * as pipeline from "../../connector-pipeline.ts";
import { fetchTranscript, listRecordings, type Meeting } from "./zoom.ts";

const DAY = 24 * 60 * 60 * 1000;
const dayOf = (time: number) => new Date(time).toISOString().slice(0, 10);

/** One sync run. Whatever happens on the way, the job that it leaves in `sync_jobs` tells how it went. */
export async function syncZoom(request: Request, supabase: SupabaseClient, zoomApi = "https://api.zoom.us/v2") {
  const { zoomToken, ...days } = await request.json().catch(() => null) ?? {};
  const [from, to] = [days.from ?? dayOf(Date.now() - 30 * DAY), days.to ?? dayOf(Date.now())].map(Date.parse);
  if (!/^[ -~]+$/.test(zoomToken ?? "")) return Response.json({ error: "zoomToken is missing" }, { status: 400 });
  // Of more than a month, Zoom would leave out the rest without a word.
  const isMonth = from <= to && to - from <= 30 * DAY;
  if (!isMonth) return Response.json({ error: "from and to: days like 2026-01-31, of one month" }, { status: 400 });
  try {
    const run = { job: await pipeline.startSyncJob(supabase, null, "zoom"), skipped: 0, problems: [] as string[] };
    try {
      for await (const meetings of listRecordings(zoomApi, zoomToken, dayOf(from), dayOf(to))) {
        await importNew(supabase, run, meetings, zoomToken);
      }
    } catch (error) {
      // The pages before are in. The next run skips them, and goes on from here.
      run.problems.push((error as Error).message);
    }
    // The batches have not seen what was known before them.
    const { error } = await supabase.from("sync_jobs").update({ skipped_count: run.skipped }).eq("id", run.job);
    if (error) run.problems.push(error.message);
    const summary = await pipeline.finishSyncJob(supabase, run.job, run.problems.join("; "));
    return Response.json({ ...summary, problems: run.problems }, { status: run.problems.length > 0 ? 502 : 200 });
  } catch (error) {
    if (!(error instanceof pipeline.PipelineError)) throw error;
    // With a JWT that has expired on the way, the job stays `processing`. The next run has a job of its own, and tells.
    return Response.json({ error: error.message }, { status: error.status === 401 ? 401 : 503 });
  }
}

type Run = { job: string; skipped: number; problems: string[] };

/** Imports of a page what is new, in one batch. */
async function importNew(supabase: SupabaseClient, run: Run, meetings: Meeting[], zoomToken: string): Promise<void> {
  // Asked before the transcripts are fetched: what is known costs no request to Zoom.
  const known = await pipeline.checkDuplicates(supabase, null, "zoom", meetings.map((meeting) => meeting.uuid));
  const records: pipeline.ConnectorRecord[] = [];
  try {
    for (const meeting of meetings.filter((meeting) => !known.has(meeting.uuid))) {
      try {
        if (isDone(meeting)) records.push(recordOf(meeting, await fetchTranscript(meeting, zoomToken)));
      } catch (error) {
        if ((error as Error).cause === 429) throw error; // Zoom's limit is reached.
        // It is left out: without its transcript it would be known from then on, and never get one.
        run.problems.push(`${meeting.topic}: ${(error as Error).message}`);
      }
    }
  } finally {
    // What is fetched is in, whatever ends the run.
    const { skipped, results } = await pipeline.runPipelineBatch(supabase, null, records, { syncJobId: run.job });
    run.skipped += known.size + skipped;
    // Of a failure, a warning says that it could not be kept either.
    const lost = results.filter((result) => result.error && result.warning);
    run.problems.push(...lost.map((result) => `${result.externalId}: ${result.error}; ${result.warning}`));
  }
}

/** Zoom makes transcripts after the recording, which has no trace of them until then: a young one is left for later. */
function isDone({ start_time, duration, recording_files: files }: Meeting): boolean {
  // Without a time it is not young, but refused, and so kept and seen.
  const isYoung = Date.parse(start_time) + (duration ?? 0) * 60_000 > Date.now() - DAY;
  const isProcessed = files.every(({ status }) => !status || status === "completed"); // A TIMELINE has none.
  if (!isProcessed && !isYoung) throw new Error("Zoom is not done with it after a day");
  const parts = new Set(files.map((file) => file.recording_start));
  const transcripts = files.filter((file) => file.file_type === "TRANSCRIPT");
  return isProcessed && (!isYoung || transcripts.length >= Math.max(parts.size, 1));
}

function recordOf(meeting: Meeting, transcript: string): pipeline.ConnectorRecord {
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
    source_metadata: { ...meeting, recording_files: meeting.recording_files.map((file) => file.file_type) },
  };
}
