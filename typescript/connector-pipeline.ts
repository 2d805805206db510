/**
 * The import pipeline for connectors: what an edge function calls to import recordings. The stages themselves run inside
 * the database (see README.md); this is what calls them, and the types of what goes in and comes out.
 *
 * It takes the place of the TypeScript module of the same names: a connector changes its import, and nothing else. With
 * the file come its types of the database, `database.types.ts`; it depends on nothing else.
 *
 * What can't be imported is told in one of two ways. `checkDuplicate`, `checkDuplicates` and `runPipeline` never throw:
 * a look-up that fails finds nothing, and an import that fails is a result with an `error`. All others throw a
 * {@link PipelineError} where the call itself fails, so that nobody takes a batch for imported that is not.
 *
 * @module
 */

import type { Database } from "./database.types.ts";

/** A recording as a connector hands it over. `null` and `undefined` are the same as leaving a key out. */
export interface ConnectorRecord {
  /**
   * The vendor's id of the recording, by which it is known the next time. A number as `String(id)`: beyond 2^53
   * JavaScript would take two ids for one.
   */
  external_id: string;
  /** `fathom`, `zoom`, `youtube`, `file-upload`, … */
  source_app: string;
  title: string;
  /** Empty where there is none. */
  full_transcript: string;
  /** RFC 3339 with an offset, as `date.toISOString()` gives it. */
  recording_start_time: string;
  /** The same. */
  recording_end_time?: string | null;
  /** Whole seconds. */
  duration?: number | null;
  /** Else the owner's personal bank. */
  bank_id?: string | null;
  /** Else the personal vault of the bank. */
  vault_id?: string | null;
  /** Whatever the vendor says of the recording; stored with the `external_id` added. */
  // deno-lint-ignore no-explicit-any -- with `unknown`, an interface that describes a vendor's answer would not fit.
  source_metadata?: Record<string, any> | null;
  summary?: string | null;
  audio_url?: string | null;
  video_url?: string | null;
  global_tags?: string[] | null;
  /** For imports of many owners by the service role, with `null` for the user. */
  owner_user_id?: string | null;
}

/** What became of a record. */
export interface PipelineResult {
  /** Whether the recording is new. A duplicate is no success, and no failure either: see `skipped`. */
  success: boolean;
  /** The recording's id; of a duplicate, the id of the one that is there, where the caller may see it. */
  recordingId?: string;
  /** The recording was there already. */
  skipped?: boolean;
  /** Why it failed. */
  error?: string;
  /** Of an error: its SQLSTATE, or PostgREST's code (`PGRST…`). None where the database could not be reached. */
  code?: string;
  /** The recording is in; its vault entry is not, and why. Of a failure in a batch: it is not kept, and why. */
  warning?: string;
  /** Keys of the record that the pipeline doesn't know: misspelt ones, say. */
  ignoredFields?: string[];
}

/** What became of one record of a batch. */
export interface BatchEntry extends PipelineResult {
  /** The record's place in the batch, from 0. */
  index: number;
  /** `null` where the record has none that could be read. */
  externalId: string | null;
}

/** What became of a batch. */
export interface BatchResult {
  total: number;
  imported: number;
  skipped: number;
  /** These are kept in `import_failures`, for {@link retryFailedImports}. */
  failed: number;
  /** One for each record, in the order of the records. */
  results: BatchEntry[];
}

/** How a sync job ended. */
export interface SyncSummary {
  status: "completed" | "completed_with_errors" | "failed";
  imported: number;
  skipped: number;
  failed: number;
  /** As people read it: `8 new, 3 skipped, 1 failed`. */
  message: string;
}

/** A call failed, and nothing of it is in the database, unless the answer got lost. Calling again does no harm. */
export class PipelineError extends Error {
  override name = "PipelineError";
  /** SQLSTATE, or PostgREST's code (`PGRST…`). None where the database could not be reached. */
  readonly code?: string;
  /** The HTTP status of the answer: 401 where the JWT is not valid, 0 where there was no answer. */
  readonly status: number;
  readonly details?: string;
  readonly hint?: string;

  constructor(what: string, error: RpcError, status = 0) {
    // A gateway's answer may have no message.
    super(`${what}: ${error.message || JSON.stringify(error)}`);
    this.code = error.code || undefined;
    this.status = status;
    this.details = error.details || undefined;
    this.hint = error.hint || undefined;
  }
}

interface RpcError {
  message: string;
  code?: string;
  details?: string | null;
  hint?: string | null;
}

/**
 * What is asked of a client: any `SupabaseClient` of supabase-js 2 will do, whatever its version and the database that it
 * is typed for. Naming the class would tie callers to one version, for classes with private members are never alike.
 */
export interface RpcClient {
  // deno-lint-ignore no-explicit-any -- a client that is typed for a database takes the names and arguments of that one.
  rpc(name: any, args?: any): PromiseLike<{ data: unknown; error: RpcError | null; status: number }>;
}

/**
 * Whether a recording is imported already. Never throws: where the look-up fails, the answer is no, and the failure is
 * logged. That does no harm, for an import looks again.
 *
 * @param userId the owner; `null` for the user whose JWT the client sends
 */
export async function checkDuplicate(
  supabase: RpcClient,
  userId: string | null,
  sourceApp: string,
  externalId: string,
): Promise<{ isDuplicate: boolean; existingRecordingId?: string }> {
  try {
    // Cleaned, as what is imported is, it would be another's id.
    if (!isStorable(sourceApp) || !isStorable(externalId)) throw new Error(UNSTORABLE);
    // Without a default in the database, a key that is left out would be another function.
    const args = { p_user_id: userId ?? null, p_source_app: sourceApp, p_external_id: externalId };
    return await call(supabase, "check_duplicate", args) as { isDuplicate: boolean; existingRecordingId?: string };
  } catch (error) {
    console.warn(
      `connector-pipeline: ${messageOf(error)}; ${String(sourceApp)} ${String(externalId)} is taken for new`,
    );
    return { isDuplicate: false };
  }
}

/** What Supabase's API gives at most for an answer: the rest is left out without a word. */
const MAX_ROWS = 1000;

/**
 * Which of many recordings are imported already, so that what is known need not be fetched: their external ids, each with
 * the id of its recording. Never throws: where the look-up fails, none is known, and the failure is logged.
 *
 * @param userId the owner; `null` for the user whose JWT the client sends
 */
export async function checkDuplicates(
  supabase: RpcClient,
  userId: string | null,
  sourceApp: string,
  externalIds: string[],
): Promise<Map<string, string>> {
  try {
    if (!isStorable(sourceApp)) throw new Error(UNSTORABLE);
    const known = new Map<string, string>();
    const ids = externalIds.filter(isStorable);
    for (let from = 0; from < ids.length; from += MAX_ROWS) {
      const p_external_ids = ids.slice(from, from + MAX_ROWS);
      const args = { p_user_id: userId ?? null, p_source_app: sourceApp, p_external_ids };
      for (const row of await call(supabase, "check_duplicates", args)) {
        if (row.is_duplicate) known.set(row.external_id, row.existing_recording_id);
      }
    }
    return known;
  } catch (error) {
    console.warn(`connector-pipeline: ${messageOf(error)}; all of ${String(sourceApp)} are taken for new`);
    return new Map();
  }
}

/**
 * Imports one record, or throws a {@link PipelineError}: 23505 for a duplicate, 22023 for a record that is not good.
 *
 * @param userId the owner; `null` for the record's `owner_user_id`, or the user whose JWT the client sends
 */
export async function insertRecording(
  supabase: RpcClient,
  userId: string | null,
  record: ConnectorRecord,
): Promise<{ id: string }> {
  const refusal = refusalOf(record);
  if (refusal) throw new PipelineError("insert_recording", { message: refusal.error, code: refusal.code }, 400);
  return await call(supabase, "insert_recording", { p_record: record, p_user_id: userId }) as { id: string };
}

/**
 * Imports one record, unless it is imported already. Never throws: whatever goes wrong, be it the record, the database or
 * the network, is a result with an `error`.
 *
 * @param userId the owner; `null` for the record's `owner_user_id`, or the user whose JWT the client sends
 */
export async function runPipeline(
  supabase: RpcClient,
  userId: string | null,
  record: ConnectorRecord,
): Promise<PipelineResult> {
  try {
    const refusal = refusalOf(record);
    if (refusal) return { success: false, error: refusal.error, code: refusal.code };
    return await call(supabase, "run_pipeline", { p_record: record, p_user_id: userId }) as unknown as PipelineResult;
  } catch (error) {
    const code = error instanceof PipelineError ? error.code : undefined;
    return { success: false, error: messageOf(error), ...(code && { code }) };
  }
}

/**
 * Imports many records in one call and one transaction. One that is not good fails alone: its result says so, and it is
 * kept for {@link retryFailedImports} (an `external_id` or `source_app` that can't be stored as `unstorable_…`, spelled in
 * JSON, where that is what is wrong with it). Throws a {@link PipelineError} where the call fails, with none of the records in.
 *
 * @param userId the owner of all; `null` for each record's `owner_user_id`, or the user whose JWT the client sends
 * @param options.syncJobId the job of {@link startSyncJob} to count them in
 * @param options.dryRun tells what would be done, and does nothing
 */
export async function runPipelineBatch(
  supabase: RpcClient,
  userId: string | null,
  records: ConnectorRecord[],
  options: { syncJobId?: string; dryRun?: boolean } = {},
): Promise<BatchResult> {
  // What is no array, the database refuses; and a record without the part of its key that can't be stored.
  const refusals = Array.isArray(records) ? records.map(refusalOf) : [];
  const change = (record: ConnectorRecord, at: number) => refusals[at] ? { ...record, ...refusals[at].change } : record;
  const batch = await call(supabase, "run_pipeline_batch", {
    p_records: refusals.some(Boolean) ? records.map(change) : records,
    p_user_id: userId,
    p_sync_job_id: options.syncJobId,
    p_dry_run: options.dryRun,
  }) as unknown as BatchResult;
  if (batch.results.length !== records.length) throw new PipelineError("run_pipeline_batch", NO_ANSWER);
  refusals.forEach((refusal, at) => refusal && Object.assign(batch.results[at], { error: refusal.error }));
  return batch;
}

/**
 * Opens a sync job and gives its id. Throws a {@link PipelineError}.
 *
 * @param userId whose job; `null` for the user whose JWT the client sends
 * @param externalIds what is to be imported, where that is known: the total of a progress bar
 */
export async function startSyncJob(
  supabase: RpcClient,
  userId: string | null,
  sourceApp: string,
  externalIds?: string[],
): Promise<string> {
  return await call(supabase, "start_sync_job", {
    p_source_app: sourceApp,
    p_external_ids: externalIds,
    p_user_id: userId,
  });
}

/**
 * Closes a sync job, and stamps the user's import source with it. Throws a {@link PipelineError}.
 *
 * @param error what kept the run from coming to its end, where something did
 */
export async function finishSyncJob(supabase: RpcClient, syncJobId: string, error?: string): Promise<SyncSummary> {
  return await call(supabase, "finish_sync_job", {
    p_sync_job_id: syncJobId,
    p_error: error,
  }) as unknown as SyncSummary;
}

/**
 * Imports again, without fetching, what failed in batches. What is in then is kept no longer. Throws a
 * {@link PipelineError}.
 *
 * @param userId whose; `null` for the user whose JWT the client sends
 */
export async function retryFailedImports(
  supabase: RpcClient,
  userId: string | null,
  options: { sourceApp?: string; limit?: number } = {},
): Promise<BatchResult> {
  return await call(supabase, "retry_failed_imports", {
    p_source_app: options.sourceApp,
    p_user_id: userId,
    p_limit: options.limit,
  }) as unknown as BatchResult;
}

type Functions = Database["public"]["Functions"];

/**
 * Names of functions and arguments are checked against the database; what a jsonb holds is not, for its generated type
 * says no more than that it is JSON.
 */
async function call<Name extends keyof Functions>(
  supabase: RpcClient,
  name: Name,
  args: { [Key in keyof Functions[Name]["Args"]]: unknown },
): Promise<NonNullable<Functions[Name]["Returns"]>> {
  const { data, error, status } = await supabase.rpc(name, args);
  if (error && REFUSED_AS_TEXT.includes(error.code ?? "")) {
    const storable = withoutUnstorable(args);
    if (storable) return await call(supabase, name, storable);
  }
  if (error) throw new PipelineError(name, error, status);
  if (!ANSWERS[name]?.(data)) throw new PipelineError(name, NO_ANSWER, status);
  return data as NonNullable<Functions[Name]["Returns"]>;
}

const NO_ANSWER = { message: "the answer is not the database's" };

const has = (key: string) => (answer: unknown) => key in Object(answer);
const hasResults = (answer: unknown) => Array.isArray(Object(answer).results);

/** By what the answers are known: a proxy's or a gateway's `{}` is not to be taken for one, nor an empty one. */
const ANSWERS: { [Name in keyof Functions]?: (answer: unknown) => boolean } = {
  check_duplicate: has("isDuplicate"),
  check_duplicates: Array.isArray,
  insert_recording: has("id"),
  run_pipeline: (answer) => typeof Object(answer).success === "boolean",
  run_pipeline_batch: hasResults,
  start_sync_job: (answer) => typeof answer === "string",
  finish_sync_job: has("status"),
  retry_failed_imports: hasResults,
};

/** From PostgreSQL for NUL, from PostgreSQL for half of a character, and the same from PostgREST before it gets there. */
const REFUSED_AS_TEXT = ["22P05", "22P02", "PGRST102"];

/**
 * The same with U+FFFD for what PostgreSQL can't store as text: NUL, and half of a character, as a vendor leaves it who cuts
 * a title in the midst of an emoji. One of these in one record would have the whole batch refused, each time. Nothing,
 * where there is none of that, where it is in an id, or where it can't be looked for (a bigint, which some clients send;
 * nesting without end).
 */
function withoutUnstorable<Value>(value: Value): Value | undefined {
  try {
    const json = JSON.stringify(value);
    const plain = JSON.parse(json);
    // An id that only its toJSON() has told.
    if ([plain.p_record].concat(plain.p_records).some(refusalOf)) return undefined;
    const storable = cleaned(plain) as Value;
    return JSON.stringify(storable) === json ? undefined : storable;
  } catch {
    return undefined;
  }
}

function cleaned(value: unknown): unknown {
  // replaceAll() would take three times as long, and four times the memory, for megabytes of NULs.
  if (typeof value === "string") return value.split("\0").join("\ufffd").toWellFormed();
  if (Array.isArray(value)) return value.map(cleaned);
  if (!(value instanceof Object)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [cleaned(key), cleaned(item)]));
}

const UNSTORABLE = "it has a NUL or half of a character";

function isStorable(value: unknown): boolean {
  return typeof value !== "string" || cleaned(value) === value;
}

/**
 * Why a record can't be sent as it is: with U+FFFD in the key that it is known by, two recordings would be one. And what to
 * change, for the database to refuse it, count it and keep it: JSON spells what is no text in ASCII.
 */
function refusalOf(record: ConnectorRecord): { error: string; code: string; change: object } | undefined {
  const key = (["external_id", "source_app"] as const).find((key) => !isStorable(record?.[key]));
  if (!key) return undefined;
  const spelled = JSON.stringify(record[key]);
  return {
    error: `invalid record: ${key} ${spelled}: ${UNSTORABLE}`,
    code: "22023",
    change: { [key]: null, [`unstorable_${key}`]: spelled },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
