// Imports videos like a connector written for the TypeScript module that the extension replaces.
//
// The connector has no code for the database. Only its import was changed, from "../_shared/connector-pipeline.ts".

import type { SupabaseClient } from "@supabase/supabase-js";
import {
  checkDuplicate,
  type ConnectorRecord,
  insertRecording,
  type PipelineResult,
  runPipeline,
} from "../../typescript/connector-pipeline.ts";

export interface Video {
  videoId: string;
  title: string;
  publishedAt: string;
  seconds?: number;
  captions?: string;
  channel: { id: string; name: string };
}

function toRecord(video: Video): ConnectorRecord {
  return {
    external_id: video.videoId,
    source_app: "youtube",
    title: video.title,
    full_transcript: video.captions ?? "",
    recording_start_time: video.publishedAt,
    duration: video.seconds,
    source_metadata: {
      external_id: video.videoId,
      channel: video.channel,
      watch_url: `https://youtube.com/watch?v=${video.videoId}`,
    },
  };
}

/** Runs all stages with one call for each video, as most connectors do. */
export async function importVideos(supabase: SupabaseClient, userId: string, videos: Video[]) {
  const counts = { synced: 0, skipped: 0, failed: 0 };
  const failures: { id: string; error: string }[] = [];
  for (const video of videos) {
    const result: PipelineResult = await runPipeline(supabase, userId, toRecord(video));
    if (result.success) counts.synced++;
    else if (result.skipped) counts.skipped++;
    else {
      counts.failed++;
      failures.push({ id: video.videoId, error: result.error ?? "unknown" });
    }
  }
  return { ...counts, failures };
}

/** Checks, fetches and inserts one video, so that only new videos are fetched. */
export async function importVideo(
  supabase: SupabaseClient,
  userId: string,
  video: Video,
  fetchCaptions: (id: string) => Promise<string>,
): Promise<{ id: string; isNew: boolean } | { error: string }> {
  const { isDuplicate, existingRecordingId } = await checkDuplicate(supabase, userId, "youtube", video.videoId);
  if (isDuplicate && existingRecordingId) return { id: existingRecordingId, isNew: false };
  try {
    const { id } = await insertRecording(supabase, userId, {
      ...toRecord(video),
      full_transcript: await fetchCaptions(video.videoId),
    });
    return { id, isNew: true };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
