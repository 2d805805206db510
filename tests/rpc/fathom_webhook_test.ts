// Tests the example typescript/examples/fathom-webhook with a meeting as Fathom sends it.
//
// The tests sign with the library that Fathom's own SDK uses to verify signatures.

import assert from "node:assert/strict";
import { Webhook } from "standardwebhooks";
import { receiveMeeting } from "../../typescript/examples/fathom-webhook/receive-meeting.ts";
import { anonKey, clientOf, newUser, service, whileNothingIsKept } from "./support.ts";

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const meeting = await Deno.readTextFile(new URL("fixtures/fathom/new-meeting-content-ready.json", import.meta.url));

interface Changes {
  body?: string;
  headers?: Record<string, string>;
  at?: Date;
  secret?: string;
}

function request({ body = meeting, headers = {}, at = new Date(), secret: key = secret }: Changes = {}): Request {
  const id = "msg_2x2zwLOcWaRTzsLK8KtbQt1FTk9";
  return new Request("http://127.0.0.1/fathom-webhook", {
    method: "POST",
    body,
    headers: {
      "Content-Type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
      "webhook-signature": new Webhook(key).sign(id, at, body),
      ...headers,
    },
  });
}

const changed = (changes: Record<string, unknown>) => JSON.stringify({ ...JSON.parse(meeting), ...changes });

/** Runs the function and discards what it logs. */
async function receive(request: Request, supabase: typeof service, owner: string): Promise<Response> {
  const error = console.error;
  console.error = () => {};
  try {
    return await receiveMeeting(request, supabase, secret, owner);
  } finally {
    console.error = error;
  }
}

Deno.test("a meeting is imported once, however often Fathom sends it", async () => {
  const user = await newUser();
  const first = await receive(request(), service, user.id);
  const { recordingId } = await first.json();
  assert.equal(first.status, 200);
  const second = await receive(request(), service, user.id);
  assert.deepEqual([second.status, await second.json()], [200, {
    index: 0,
    externalId: "123456789",
    success: false,
    skipped: true,
    recordingId,
  }]);

  const { data: recordings } = await user.supabase.from("recordings").select().throwOnError();
  assert.equal(recordings.length, 1);
  const [recording] = recordings;
  assert.deepEqual([recording.title, recording.duration, recording.id], ["QBR 2026 Q1", 3583, recordingId]);
  assert.equal(
    recording.full_transcript,
    "Ann Lee: Let's look at the budget once more.\nEmeka Okafor: I agree: “Größe” matters 🙂.",
  );
  assert.match(recording.summary, /^## Summary/);
  const { recording_start_time, recording_end_time, share_url } = JSON.parse(meeting);
  assert.equal(Date.parse(recording.recording_start_time), Date.parse(recording_start_time));
  assert.equal(Date.parse(recording.recording_end_time), Date.parse(recording_end_time));
  assert.equal(recording.video_url, share_url);
  assert.equal(recording.source_metadata.recorded_by.email, "ann@northwind.example");
  assert.equal(recording.source_metadata.transcript, undefined);
});

Deno.test("a meeting whose body arrives byte by byte is imported unchanged", async () => {
  const user = await newUser();
  const whole = request();
  const bytes = new Uint8Array(await whole.clone().arrayBuffer());
  const body = ReadableStream.from(Array.from(bytes, (byte) => Uint8Array.of(byte)));
  const pieces = new Request(whole.url, { method: "POST", headers: whole.headers, body });
  assert.equal((await receive(pieces, service, user.id)).status, 200);
  const { data: [recording] } = await user.supabase.from("recordings").select().throwOnError();
  assert.match(recording.full_transcript, /“Größe” matters 🙂\.$/);
});

Deno.test("a meeting without a transcript is imported with an empty transcript", async () => {
  const user = await newUser();
  const body = changed({ transcript: null, default_summary: null, meeting_title: null });
  assert.equal((await receive(request({ body }), service, user.id)).status, 200);
  const { data: [recording] } = await user.supabase.from("recordings").select().throwOnError();
  assert.deepEqual([recording.title, recording.full_transcript], ["Quarterly Business Review", ""]);
});

Deno.test("a request with an invalid signature or an old timestamp is refused with 401", async (t) => {
  const user = await newUser();
  const good = request().headers.get("webhook-signature")!;
  const table: [string, Changes][] = [
    ["another secret", { secret: "whsec_bm90IHRoZSByaWdodCBzZWNyZXQgYXQgYWxs" }],
    ["another body", {
      headers: { "webhook-signature": request({ body: changed({ title: "" }) }).headers.get("webhook-signature")! },
    }],
    ["another id", { headers: { "webhook-id": "msg_other" } }],
    ["another time", { headers: { "webhook-timestamp": String(Math.floor(Date.now() / 1000) - 1) } }],
    ["six minutes old", { at: new Date(Date.now() - 360_000) }],
    ["six minutes early", { at: new Date(Date.now() + 360_000) }],
    ["no time", { headers: { "webhook-timestamp": "soon" } }],
    ["no signature", { headers: { "webhook-signature": "" } }],
    ["a part of the signature", { headers: { "webhook-signature": good.slice(0, 24) } }],
    ["more than the signature", { headers: { "webhook-signature": `${good}A` } }],
    ["a signature that is not base64", { headers: { "webhook-signature": "v1,***" } }],
    ["a signature of another version", { headers: { "webhook-signature": good.replace("v1", "v2") } }],
  ];
  for (const [what, changes] of table) {
    await t.step(what, async () => assert.equal((await receive(request(changes), service, user.id)).status, 401));
  }
  const { count } = await user.supabase.from("recordings").select("*", { count: "exact", head: true });
  assert.equal(count, 0);
});

Deno.test("a request with several signatures is accepted if one is valid", async () => {
  const user = await newUser();
  const signature = `v1,${btoa("an old secret's")} v2,x ${request().headers.get("webhook-signature")}`;
  assert.equal((await receive(request({ headers: { "webhook-signature": signature } }), service, user.id)).status, 200);
});

Deno.test("a meeting that the pipeline refuses is kept as a failure and answered with 200", async (t) => {
  const table: [string, Record<string, unknown>, RegExp][] = [
    ["no date", { recording_start_time: "2026-03-02" }, /recording_start_time/],
    ["no id", { recording_id: undefined }, /external_id/],
    ["ends before it begins", { recording_end_time: "2026-03-01T00:00:00Z" }, /duration/],
    ["no title", { title: undefined, meeting_title: undefined }, /title/],
    ["an id of another type", { recording_id: {} }, /external_id/],
    ["an id that JavaScript has rounded", { recording_id: 2 ** 53 }, /external_id/],
    ["a transcript of another type", { transcript: {} }, /full_transcript/],
  ];
  for (const [what, changes, error] of table) {
    await t.step(what, async () => {
      const user = await newUser();
      for (const attempts of [1, 2]) {
        const response = await receive(request({ body: changed(changes) }), service, user.id);
        assert.deepEqual([response.status, (await response.json()).code], [200, "22023"]);
        const { data: [failure] } = await user.supabase.from("import_failures").select().throwOnError();
        assert.equal(failure.attempts, attempts);
        assert.match(failure.error, error);
      }
    });
  }
});

Deno.test("a meeting that the database can't import now is answered with 503, so that Fathom sends it again", async (t) => {
  const user = await newUser();
  const table: [string, typeof service][] = [
    ["the database is down", clientOf(anonKey, () => Promise.reject(new TypeError("connection refused")))],
    ["the key is not the service role's", clientOf("a.b.c")],
  ];
  for (const [what, supabase] of table) {
    await t.step(what, async () => assert.equal((await receive(request(), supabase, user.id)).status, 503));
  }
  assert.equal((await receive(request(), service, user.id)).status, 200);
});

Deno.test("two ids that JavaScript reads as the same number are imported as two meetings", async () => {
  const user = await newUser();
  for (const recording_id of ["18446744073709551616", "18446744073709551617"]) {
    const answer = await (await receive(request({ body: changed({ recording_id }) }), service, user.id)).json();
    assert.deepEqual([answer.success, answer.externalId], [true, recording_id]);
  }
});

Deno.test("a meeting with transcript lines without a speaker or text is imported", async () => {
  const user = await newUser();
  const transcript = [{ speaker: null, text: "hello" }, null, { speaker: {} }, {
    speaker: { display_name: "Ann" },
    text: "!",
  }];
  assert.equal((await receive(request({ body: changed({ transcript }) }), service, user.id)).status, 200);
  const { data } = await user.supabase.from("recordings").select("full_transcript").throwOnError();
  assert.deepEqual(data, [{ full_transcript: "?: hello\n?: \n?: \nAnn: !" }]);
});

Deno.test("a meeting that is refused and could not be kept is answered with 503", async () => {
  const user = await newUser();
  const refused = request({ body: changed({ recording_start_time: "2026-03-02" }) });
  await whileNothingIsKept(async () => {
    assert.equal((await receive(refused, service, user.id)).status, 503);
  });
});

Deno.test("a request of more than 10 MB or with many signatures is refused", async () => {
  const user = await newUser();
  const large = request({ body: changed({ padding: "x".repeat(10 * 1024 * 1024) }) });
  assert.equal((await receive(large, service, user.id)).status, 413);
  const signature = `${"v1,x ".repeat(10)}${request().headers.get("webhook-signature")}`;
  assert.equal((await receive(request({ headers: { "webhook-signature": signature } }), service, user.id)).status, 401);
});

Deno.test("a signed request that is not a meeting is refused with 400, a GET with 405", async () => {
  const user = await newUser();
  for (const body of ["hello", "null", "[]", '"meeting"']) {
    assert.equal((await receive(request({ body }), service, user.id)).status, 400);
  }
  assert.equal((await receive(new Request("http://127.0.0.1/fathom-webhook"), service, user.id)).status, 405);
});
