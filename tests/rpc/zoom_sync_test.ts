// Tests the example typescript/examples/zoom-sync with a server that answers as Zoom does.

import assert from "node:assert/strict";
import { syncZoom } from "../../typescript/examples/zoom-sync/sync-zoom.ts";
import {
  anonKey,
  clientOf,
  database,
  fetchThrough,
  jwt,
  newUser,
  sockets,
  type User,
  whileNothingIsKept,
} from "./support.ts";

const fixtures = new URL("fixtures/zoom/", import.meta.url);
const read = (name: string) => Deno.readTextFile(new URL(name, fixtures));

const pages: Record<string, string> = {
  "": "recordings-page-1.json",
  "Tva2CuIdTgsv8wAnhyAdU3m06Y2HuLQtlh3": "recordings-page-2.json",
};

type Answer = (path: string, page: string, origin: string) => Promise<Response | undefined> | Response | undefined;

/** Serves Zoom's answers of the fixtures, or the answer of `instead`.
 *
 *  Close the server with `await using`. */
function zoom(instead: Answer = () => undefined) {
  const asked: string[] = [];
  const days: (string | null)[] = [];
  const listening = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const server = Deno.serve(listening, async (request) => {
    const { pathname, searchParams, origin } = new URL(request.url);
    const page = searchParams.get("next_page_token") ?? "";
    if (searchParams.has("from")) days.push(searchParams.get("from"), searchParams.get("to"));
    asked.push(pathname.replace("/users/me/recordings", `recordings ${page}`).trim());
    if (request.headers.get("Authorization") !== "Bearer zoom's token") {
      return new Response(await read("expired-token.json"), { status: 401 });
    }
    const answer = await instead(pathname, page, origin);
    if (answer) return answer;
    if (pathname !== "/users/me/recordings") return new Response(await read(pathname.split("/").at(-1)!));
    return new Response((await read(pages[page])).replaceAll("{zoom}", origin));
  });
  const api = `http://127.0.0.1:${server.addr.port}`;
  return { api, asked, days, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** Makes a page of meetings from the first meeting of the fixtures, each with changes. */
async function pageOf(...changes: Record<string, unknown>[]): Promise<(origin: string) => Response> {
  const [meeting] = JSON.parse(await read("recordings-page-1.json")).meetings;
  const page = JSON.stringify({ meetings: changes.map((change) => ({ ...meeting, ...change })), next_page_token: "" });
  return (origin) => new Response(page.replaceAll("{zoom}", origin));
}

const transcriptAt = (download_url: string | undefined, recording_start?: string) => ({
  file_type: "TRANSCRIPT",
  status: "completed",
  download_url,
  recording_start,
});

async function sync(user: User, api: string, body: unknown = { zoomToken: "zoom's token" }) {
  const request = new Request("http://127.0.0.1/zoom-sync", { method: "POST", body: JSON.stringify(body) });
  const response = await syncZoom(request, user.supabase, api);
  return { status: response.status, answer: await response.json() };
}

/** Returns the job, source and recordings that the import hub shows. */
async function hub({ supabase }: User) {
  const { data: [job] } = await supabase.from("sync_jobs").select().order("created_at", { ascending: false })
    .throwOnError();
  const { data: [source] } = await supabase.from("import_sources").select().eq("source_app", "zoom").throwOnError();
  const { data: recordings } = await supabase.from("recordings").select().order("recording_start_time").throwOnError();
  return { job, source, recordings };
}

Deno.test("a sync imports the recordings of all pages with their transcripts", async () => {
  const user = await newUser();
  await using server = zoom();
  const { status, answer } = await sync(user, server.api);
  assert.equal(status, 200);
  assert.deepEqual(answer, {
    status: "completed",
    imported: 4,
    skipped: 0,
    failed: 0,
    message: "4 new, 0 skipped, 0 failed",
    problems: [],
  });

  const { job, source, recordings } = await hub(user);
  assert.deepEqual([job.status, job.synced_ids.length, job.error], ["completed", 4, null]);
  assert.ok(source.last_sync_at);
  assert.equal(source.error_message, null);
  const [first, second, third] = recordings;
  assert.deepEqual([first.title, first.duration, first.owner_user_id], ["Product and sales", 35 * 60, user.id]);
  assert.equal(Date.parse(first.recording_start_time), Date.parse("2026-02-04T15:00:12Z"));
  assert.equal(first.video_url, "https://us02web.zoom.us/rec/share/product-and-sales");
  assert.deepEqual(first.source_metadata.recording_files, ["MP4", "M4A", "TRANSCRIPT", "TIMELINE", "CC"]);
  assert.equal(
    first.full_transcript,
    "Ann Lee: Good morning everybody.\nBen Ortiz: Morning. Shall we begin with the numbers?\n" +
      "Ann Lee: Yes: revenue is up 4%, see <https://northwind.example>.",
  );
  assert.match(second.full_transcript, /Freja Lindqvist: Does it take our file --> the old one\?$/);
  // Both meetings belong to one series and have the same number.
  assert.equal(first.source_metadata.id, second.source_metadata.id);
  assert.equal(third.full_transcript, "");
  assert.deepEqual(third.source_metadata.recording_files, ["MP4"]);
});

Deno.test("a second sync skips all recordings and fetches no transcript", async () => {
  const user = await newUser();
  await using server = zoom();
  await sync(user, server.api);
  const before = server.asked.length;
  const { status, answer } = await sync(user, server.api);
  assert.deepEqual([status, answer.message], [200, "0 new, 4 skipped, 0 failed"]);
  assert.deepEqual(server.asked.slice(before), ["recordings", "recordings Tva2CuIdTgsv8wAnhyAdU3m06Y2HuLQtlh3"]);
  const { job, recordings } = await hub(user);
  assert.deepEqual([job.status, job.skipped_count, recordings.length], ["completed", 4, 4]);
});

Deno.test("a record that the pipeline refuses fails alone, is kept, and is shown in the message", async () => {
  const user = await newUser();
  const page = await read("recordings-page-1.json");
  await using server = zoom((path) =>
    path === "/users/me/recordings"
      ? new Response(
        page.replace('"duration": 35', '"duration": -1').replace(/"next_page_token": "[^"]*"/, '"x": 1')
          .replaceAll("{zoom}", server.api),
      )
      : undefined
  );
  for (const message of ["1 new, 0 skipped, 1 failed", "0 new, 1 skipped, 1 failed"]) {
    const { status, answer } = await sync(user, server.api);
    assert.deepEqual([status, answer.status, answer.message], [200, "completed_with_errors", message]);
  }
  assert.equal((await hub(user)).source.error_message, "0 new, 1 skipped, 1 failed");
  const { data: failures } = await user.supabase.from("import_failures").select("external_id, error, attempts");
  assert.equal(failures!.length, 1);
  assert.deepEqual([failures![0].external_id, failures![0].attempts], ["4444AAAiAAAAAiAiAiiAii==", 2]);
  assert.match(failures![0].error, /duration/);
});

Deno.test("a sync with an expired token fails and stores Zoom's error in the import source", async () => {
  const user = await newUser();
  await using server = zoom();
  const { status, answer } = await sync(user, server.api, { zoomToken: "an old one" });
  assert.deepEqual([status, answer.status, answer.problems], [502, "failed", ["Zoom: 401 Invalid access token."]]);
  assert.equal((await hub(user)).source.error_message, "Zoom: 401 Invalid access token.");
});

Deno.test("a sync stopped by Zoom's rate limit keeps its imports and the next sync imports the rest", async () => {
  const user = await newUser();
  const limit = await read("rate-limit.json");
  await using limited = zoom((_, page) => page === "" ? undefined : new Response(limit, { status: 429 }));
  const { status, answer } = await sync(user, limited.api);
  assert.deepEqual([status, answer.status], [502, "failed"]);
  assert.deepEqual([answer.imported, answer.problems.length], [2, 1]);
  assert.match(answer.problems[0], /^Zoom: 429 You have reached the maximum/);
  await using server = zoom();
  assert.equal((await sync(user, server.api)).answer.message, "2 new, 2 skipped, 0 failed");
});

Deno.test("a sync that reaches the rate limit at a transcript imports the recordings before and fails", async () => {
  const user = await newUser();
  const limited = (path: string) =>
    path.endsWith("contoso-demo.vtt") ? new Response("slow", { status: 429 }) : undefined;
  await using server = zoom(limited);
  const { answer } = await sync(user, server.api);
  assert.deepEqual([answer.status, answer.message, answer.problems], [
    "failed",
    "1 new, 0 skipped, 0 failed",
    ["Zoom: 429 slow"],
  ]);
  assert.equal(server.asked.length, 3);
  // Recordings that are imported already are counted as skipped, also in a failed run.
  assert.equal((await sync(user, server.api)).answer.message, "0 new, 1 skipped, 0 failed");
});

Deno.test("a recording whose transcript is not found is not imported until the transcript is there", async () => {
  const user = await newUser();
  await using broken = zoom((path) =>
    path.endsWith("contoso-demo.vtt") ? new Response("gone", { status: 404 }) : undefined
  );
  const { status, answer } = await sync(user, broken.api);
  assert.deepEqual([status, answer.status, answer.imported], [502, "failed", 3]);
  assert.deepEqual(answer.problems, ["Contoso: demo: Zoom: 404 gone"]);
  await using server = zoom();
  assert.equal((await sync(user, server.api)).answer.message, "1 new, 3 skipped, 0 failed");
});

Deno.test("a recording that Zoom still processes is left for the next sync", async (t) => {
  const second = JSON.parse(await read("recordings-page-2.json"));
  const [quick] = second.meetings;
  const hourAgo = new Date(Date.now() - 3_600_000).toISOString();
  const table: [string, unknown, string][] = [
    ["one without a transcript, an hour old", { ...quick, start_time: hourAgo }, "0 new, 0 skipped, 0 failed"],
    ["one without a transcript, of last month", quick, "1 new, 0 skipped, 0 failed"],
    ["one without a duration", { ...quick, duration: undefined }, "1 new, 0 skipped, 0 failed"],
    ["one without a start, which is refused", { ...quick, start_time: undefined }, "0 new, 0 skipped, 1 failed"],
    [
      "one that is being processed",
      { ...quick, start_time: hourAgo, recording_files: [{ ...quick.recording_files[0], status: "processing" }] },
      "0 new, 0 skipped, 0 failed",
    ],
    [
      "one with the transcript of the first of its two parts, an hour old",
      {
        ...quick,
        start_time: hourAgo,
        recording_files: [
          { ...quick.recording_files[0], recording_start: hourAgo },
          { ...transcriptAt("http://127.0.0.1:1/first.vtt", hourAgo) },
          { ...quick.recording_files[0], recording_start: new Date().toISOString() },
        ],
      },
      "0 new, 0 skipped, 0 failed",
    ],
    ["one without a list of files", { ...quick, recording_files: null }, "1 new, 0 skipped, 0 failed"],
  ];
  for (const [what, meeting, message] of table) {
    await t.step(what, async () => {
      const user = await newUser();
      await using server = zoom(() => Response.json({ ...second, meetings: [meeting] }));
      assert.equal((await sync(user, server.api)).answer.message, message);
    });
  }
});

Deno.test("a recording that Zoom still processes after a day is reported as a problem", async () => {
  const user = await newUser();
  const page = await pageOf({ recording_files: [{ file_type: "MP4", status: "processing" }] }, { uuid: "good" });
  await using server = zoom((path, _, origin) => path.startsWith("/users") ? page(origin) : undefined);
  const { status, answer } = await sync(user, server.api);
  assert.deepEqual([status, answer.message], [502, "1 new, 0 skipped, 0 failed"]);
  assert.deepEqual(answer.problems, ["Product and sales: Zoom is not done with it after a day"]);
});

Deno.test("a sync whose batch request fails is a failed run with that error", async () => {
  const user = await newUser();
  await using server = zoom();
  const api = fetchThrough(`${sockets}/postgrest`);
  const supabase = clientOf(
    user.token,
    (input, init) =>
      String(input).endsWith("run_pipeline_batch")
        ? Promise.reject(new TypeError("connection reset"))
        : api(input, init),
  );
  const { status, answer } = await sync({ ...user, supabase }, server.api);
  assert.deepEqual([status, answer.status, answer.imported], [502, "failed", 0]);
  assert.match((await hub(user)).source.error_message, /^run_pipeline_batch: .*connection reset/);
});

Deno.test("a sync whose job is deleted during the run answers 503", async () => {
  const user = await newUser();
  await using sql = database();
  await using server = zoom(async (path) => {
    if (path.endsWith(".vtt")) await sql`DELETE FROM sync_jobs WHERE user_id = ${user.id}`;
    return undefined;
  });
  const { status, answer } = await sync(user, server.api);
  assert.equal(status, 503);
  assert.match(answer.error, /^finish_sync_job: .*no such sync job/);
});

Deno.test("a sync without a valid user or Zoom token is refused and asks Zoom for nothing", async () => {
  const user = await newUser();
  await using server = zoom();
  for (const token of [anonKey, jwt({ role: "authenticated", sub: user.id, exp: 1 })]) {
    const { status } = await sync({ ...user, supabase: clientOf(token) }, server.api);
    assert.equal(status, 401);
  }
  for (const body of [{}, { zoomToken: null }, null]) assert.equal((await sync(user, server.api, body)).status, 400);
  assert.deepEqual(server.asked, []);
});

Deno.test("a recording with several parts is imported with all transcripts in order of time", async () => {
  const user = await newUser();
  const page = await pageOf({
    recording_files: [
      transcriptAt("{zoom}/contoso-demo.vtt", "2026-02-04T15:40:00Z"),
      transcriptAt("{zoom}/product-and-sales.vtt", "2026-02-04T15:00:12Z"),
    ],
  });
  await using server = zoom((path, _, origin) => path.startsWith("/users") ? page(origin) : undefined);
  await sync(user, server.api);
  const { recordings: [{ full_transcript }] } = await hub(user);
  assert.match(full_transcript, /^Ann Lee: Good morning[^]*northwind[^]*\nFreja Lindqvist: [^]*the old one\?$/);
});

Deno.test("a transcript that can't be fetched keeps only its own recording from being imported", async (t) => {
  const table: [string, string | undefined, RegExp][] = [
    ["a page to sign in", "{zoom}/sign-in", /^bad: Zoom: this is no transcript: <!DOCTYPE html>/],
    ["no address", undefined, /^bad: Invalid URL/],
    ["an address that nobody listens at", "http://127.0.0.1:1/gone.vtt", /^bad: /],
    ["no answer in time", "{zoom}/never", /^bad: .*timeout/],
    ["a refusal", "{zoom}/refused", /^bad: Zoom: 401 no/],
  ];
  for (const [what, address, problem] of table) {
    await t.step(what, async () => {
      const user = await newUser();
      const page = await pageOf({ uuid: "bad", topic: "bad", recording_files: [transcriptAt(address)] }, {});
      const answered = Promise.withResolvers<Response>();
      await using server = zoom((path, _, origin) => {
        if (path.startsWith("/users")) return page(origin);
        if (path === "/never") return answered.promise;
        if (path === "/refused") return new Response("no", { status: 401 });
        return path === "/sign-in" ? new Response("<!DOCTYPE html>Sign in") : undefined;
      });
      const { status, answer } = await withShortTimeouts(() => sync(user, server.api));
      answered.resolve(new Response());
      assert.deepEqual([status, answer.status, answer.message], [502, "failed", "1 new, 0 skipped, 0 failed"]);
      assert.equal(answer.problems.length, 1);
      assert.match(answer.problems[0], problem);
    });
  }
});

/** Runs `work` with timeouts of half a second at most. */
async function withShortTimeouts<Result>(work: () => Promise<Result>): Promise<Result> {
  const timeout = AbortSignal.timeout;
  AbortSignal.timeout = (limit) => timeout.call(AbortSignal, Math.min(limit, 500));
  try {
    return await work();
  } finally {
    AbortSignal.timeout = timeout;
  }
}

Deno.test("a sync ends as failed when Zoom's page tokens repeat", async () => {
  const user = await newUser();
  await using server = zoom((_, page) => Response.json({ meetings: [], next_page_token: page === "a" ? "b" : "a" }));
  const { answer } = await sync(user, server.api);
  assert.deepEqual([answer.status, answer.problems], ["failed", ["Zoom: the pages repeat"]]);
  assert.equal(server.asked.length, 3);
});

Deno.test("a sync asks Zoom for the requested days, else for the last 30", async () => {
  const user = await newUser();
  await using server = zoom(() => Response.json({ meetings: [], next_page_token: "" }));
  const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);
  await sync(user, server.api);
  assert.deepEqual(server.days.splice(0), [daysAgo(30), daysAgo(0)]);
  await sync(user, server.api, { zoomToken: "zoom's token", from: "2026-01-01", to: "2026-01-31" });
  assert.deepEqual(server.days.splice(0), ["2026-01-01", "2026-01-31"]);
  for (const [from, to] of [["2026-01-01", "2026-02-01"], ["2026-01-02", "2026-01-01"], ["May", "someday"]]) {
    assert.equal((await sync(user, server.api, { zoomToken: "zoom's token", from, to })).status, 400);
  }
  assert.deepEqual(server.days, []);
});

Deno.test("a failed record that could not be kept is reported as a problem", async () => {
  const user = await newUser();
  const page = await pageOf({ duration: -1 });
  await using server = zoom((path, _, origin) => path.startsWith("/users") ? page(origin) : undefined);
  await whileNothingIsKept(async () => {
    const { answer } = await sync(user, server.api);
    assert.equal(answer.problems.length, 1);
    assert.match(
      answer.problems[0],
      /^4444AAAiAAAAAiAiAiiAii==: .*duration.*; the failed record could not be kept .*import_failures/,
    );
  });
});
