// Tests the HTTP status and answer of every function for each kind of caller.

import assert from "node:assert/strict";
import {
  anon,
  ANY_ID,
  assertLike,
  call,
  clientOf,
  jwt,
  newUser,
  record,
  rest,
  service,
  serviceKey,
} from "./support.ts";

const ann = await newUser();
const ben = await newUser();
/** A caller with a JWT of role authenticated without a subject. */
const nobody = clientOf(jwt({ role: "authenticated" }));
/** A caller with a JWT whose subject is not a uuid. */
const odd = clientOf(jwt({ role: "authenticated", sub: "seven" }));
const callers = { anon, ann: ann.supabase, ben: ben.supabase, nobody, odd, service };

const { data: { id: known } } = await ann.supabase.rpc("insert_recording", { p_record: record("known") });
const { data: job } = await ann.supabase.rpc("start_sync_job", { p_source_app: "fathom" });
const { data: otherJob } = await ann.supabase.rpc("start_sync_job", { p_source_app: "zoom" });

const onlyForOneself = {
  code: "42501",
  message: `role authenticated may act for its own user only, not for ${ann.id}`,
  details: null,
  hint: "Call with that user's JWT, or as service_role or the owner of the tables.",
};
const onlyForOneselfAsResult = {
  success: false,
  code: "42501",
  error: `${onlyForOneself.message}. ${onlyForOneself.hint}`,
};
const noOwner = {
  code: "22023",
  message: "no owner: p_user_id, owner_user_id and the JWT's sub are missing",
  details: null,
  hint: "Pass p_user_id, or call with a user's JWT (request.jwt.claims with a sub).",
};
const noOwnerAsResult = { success: false, code: "22023", error: `${noOwner.message}. ${noOwner.hint}` };
const noFunction = { code: "PGRST202", message: /^Could not find the function public\./, details: /^Searched for/ };
const isNull = (name: string) => ({
  code: "22004",
  message: `${name} is NULL`,
  details: null,
  hint: `Pass a value for ${name}.`,
});
const noUuid = { code: "22P02", message: 'invalid input syntax for type uuid: "seven"', details: null, hint: null };
const noJob = {
  code: "22023",
  message: /^p_sync_job_id .*: no such sync job, or the job of another user$/,
  details: null,
  hint: "Create a sync job with start_sync_job().",
};
const allMissing = "invalid record: external_id is missing; source_app is missing; title is missing; " +
  "full_transcript is missing; recording_start_time is missing";
const imported = { success: true, recordingId: ANY_ID };
const skipped = { success: false, skipped: true, recordingId: known };
const duplicate = { isDuplicate: true, existingRecordingId: known };
const emptyBatch = { total: 0, imported: 0, skipped: 0, failed: 0, results: [] };

// Lists caller, arguments, expected status, expected body.
type Case = [keyof typeof callers, Record<string, unknown>, number, unknown];

const cases: Record<string, Case[]> = {
  run_pipeline: [
    ["ann", { p_record: record("new") }, 200, imported],
    ["ann", { p_record: record("known") }, 200, skipped],
    ["ann", { p_record: record("known"), p_user_id: null }, 200, skipped],
    ["ann", { p_record: record("known"), p_user_id: undefined }, 200, skipped],
    ["ann", { p_record: record("known"), p_user_id: ann.id }, 200, skipped],
    ["ann", { p_record: record("known", { owner_user_id: ann.id }) }, 200, skipped],
    ["service", { p_record: record("known"), p_user_id: ann.id }, 200, skipped],
    ["service", { p_record: record("known", { owner_user_id: ann.id }) }, 200, skipped],
    ["service", { p_record: record("of the service"), p_user_id: ann.id }, 200, imported],
    ["ben", { p_record: record("known") }, 200, imported],
    ["ben", { p_record: record("known"), p_user_id: ann.id }, 200, onlyForOneselfAsResult],
    ["nobody", { p_record: record("known") }, 200, noOwnerAsResult],
    ["service", { p_record: record("known") }, 200, noOwnerAsResult],
    ["odd", { p_record: record("known") }, 200, {
      success: false,
      code: "22023",
      error: "the JWT's sub is not a uuid: \"seven\". Call with a JWT whose sub is the user's id.",
    }],
    ["ann", { p_record: record("more", { colour: "red" }) }, 200, { ...imported, ignoredFields: ["colour"] }],
    ["ann", { p_record: {} }, 200, { success: false, code: "22023", error: allMissing }],
    ["ann", { p_record: [] }, 200, {
      success: false,
      code: "22023",
      error: "invalid record: the record must be an object, not an array",
    }],
    ["ann", { p_record: null }, 200, {
      success: false,
      code: "22004",
      error: "p_record is NULL. Pass a value for p_record.",
    }],
    // JSON has no undefined, so the call has no argument.
    ["ann", { p_record: undefined }, 404, { ...noFunction, hint: null }],
    ["ann", { record: record("x") }, 404, {
      ...noFunction,
      hint: "Perhaps you meant to call the function public.run_pipeline(p_record, p_user_id)",
    }],
    ["ann", { p_record: record("x"), p_user_id: "seven" }, 400, noUuid],
  ],
  run_pipeline_batch: [
    ["ann", { p_records: [record("b1"), record("known"), record("b1"), {}] }, 200, {
      total: 4,
      imported: 1,
      skipped: 2,
      failed: 1,
      results: [
        { index: 0, externalId: "b1", ...imported },
        { index: 1, externalId: "known", ...skipped },
        { index: 2, externalId: "b1", ...skipped, recordingId: ANY_ID },
        { index: 3, externalId: null, success: false, code: "22023", error: allMissing },
      ],
    }],
    ["ann", { p_records: [record("dry"), record("known")], p_dry_run: true }, 200, {
      total: 2,
      imported: 1,
      skipped: 1,
      failed: 0,
      results: [{ index: 0, externalId: "dry", success: true }, { index: 1, externalId: "known", ...skipped }],
    }],
    ["ann", { p_records: [record("dry")], p_user_id: null, p_sync_job_id: null }, 200, {
      total: 1,
      imported: 1,
      skipped: 0,
      failed: 0,
      results: [{ index: 0, externalId: "dry", ...imported }],
    }],
    ["service", { p_records: [record("known", { owner_user_id: ann.id }), record("b2")] }, 200, {
      total: 2,
      imported: 0,
      skipped: 1,
      failed: 1,
      results: [
        { index: 0, externalId: "known", ...skipped },
        { index: 1, externalId: "b2", ...noOwnerAsResult },
      ],
    }],
    ["ben", { p_records: [record("b3")], p_user_id: ann.id }, 200, {
      total: 1,
      imported: 0,
      skipped: 0,
      failed: 1,
      results: [{ index: 0, externalId: "b3", ...onlyForOneselfAsResult }],
    }],
    ["ann", { p_records: [], p_sync_job_id: job }, 200, emptyBatch],
    ["ben", { p_records: [], p_sync_job_id: job }, 400, noJob],
    ["ann", { p_records: record("x") }, 400, {
      code: "22023",
      message: "p_records must be an array of records, not an object",
      details: null,
      hint: "For a single record call run_pipeline().",
    }],
    ["ann", { p_records: null }, 400, isNull("p_records")],
    ["ann", { p_records: [], p_dry_run: null }, 400, isNull("p_dry_run")],
  ],
  insert_recording: [
    ["ann", { p_record: record("inserted") }, 200, { id: ANY_ID }],
    ["service", { p_record: record("inserted by the service"), p_user_id: ann.id }, 200, { id: ANY_ID }],
    ["ann", { p_record: record("known") }, 409, {
      code: "23505",
      message: `the record is imported already, as recording ${known}`,
      details: null,
      hint: "To skip duplicates, call run_pipeline().",
    }],
    ["ann", { p_record: {} }, 400, { code: "22023", message: allMissing, details: null, hint: null }],
    ["ann", { p_record: null }, 400, isNull("p_record")],
    ["ben", { p_record: record("known"), p_user_id: ann.id }, 403, onlyForOneself],
    ["nobody", { p_record: record("x") }, 400, noOwner],
  ],
  check_duplicate: [
    ["ann", { p_user_id: ann.id, p_source_app: "fathom", p_external_id: "known" }, 200, duplicate],
    ["ann", { p_user_id: null, p_source_app: "fathom", p_external_id: "known" }, 200, duplicate],
    ["ann", { p_user_id: null, p_source_app: "zoom", p_external_id: "known" }, 200, { isDuplicate: false }],
    ["service", { p_user_id: ann.id, p_source_app: "fathom", p_external_id: "known" }, 200, duplicate],
    // Another user must not see whether the key exists.
    ["ben", { p_user_id: ann.id, p_source_app: "fathom", p_external_id: "known" }, 200, { isDuplicate: false }],
    ["service", { p_user_id: null, p_source_app: "fathom", p_external_id: "known" }, 400, noOwner],
    ["ann", { p_user_id: null, p_source_app: null, p_external_id: "known" }, 400, isNull("p_source_app")],
    ["ann", { p_user_id: null, p_source_app: "fathom", p_external_id: null }, 400, isNull("p_external_id")],
    ["ann", { p_source_app: "fathom", p_external_id: "known" }, 404, { ...noFunction, hint: /^Perhaps you meant/ }],
  ],
  check_duplicates: [
    ["ann", { p_user_id: null, p_source_app: "fathom", p_external_ids: ["other", "known", "known", null] }, 200, [
      { external_id: "other", is_duplicate: false, existing_recording_id: null },
      { external_id: "known", is_duplicate: true, existing_recording_id: known },
      { external_id: "known", is_duplicate: true, existing_recording_id: known },
      { external_id: null, is_duplicate: false, existing_recording_id: null },
    ]],
    ["service", { p_user_id: ann.id, p_source_app: "fathom", p_external_ids: ["known"] }, 200, [
      { external_id: "known", is_duplicate: true, existing_recording_id: known },
    ]],
    ["ben", { p_user_id: ann.id, p_source_app: "fathom", p_external_ids: ["known"] }, 200, [
      { external_id: "known", is_duplicate: false, existing_recording_id: null },
    ]],
    ["ann", { p_user_id: null, p_source_app: "fathom", p_external_ids: [] }, 200, []],
    ["ann", { p_user_id: null, p_source_app: "fathom", p_external_ids: null }, 400, isNull("p_external_ids")],
    ["ann", { p_user_id: null, p_source_app: null, p_external_ids: [] }, 400, isNull("p_source_app")],
  ],
  get_import_counts: [
    ["ben", {}, 200, [{ source_app: "fathom", call_count: 1 }]],
    ["ben", { p_user_id: null }, 200, [{ source_app: "fathom", call_count: 1 }]],
    ["service", { p_user_id: ben.id }, 200, [{ source_app: "fathom", call_count: 1 }]],
    ["ben", { p_user_id: ann.id }, 403, onlyForOneself],
    ["service", {}, 400, noOwner],
  ],
  ensure_personal_bank: [
    ["ann", {}, 200, ANY_ID],
    ["ann", { p_user_id: ann.id }, 200, ANY_ID],
    ["service", { p_user_id: ann.id }, 200, ANY_ID],
    ["ben", { p_user_id: ann.id }, 403, onlyForOneself],
    ["service", {}, 400, noOwner],
    ["service", { p_user_id: job }, 409, {
      code: "23503",
      message: `user ${job} does not exist`,
      details: /violates foreign key constraint/,
      hint: "Create the user first, or pass the id of an existing user.",
    }],
  ],
  start_sync_job: [
    ["ann", { p_source_app: "fathom" }, 200, ANY_ID],
    ["ann", { p_source_app: "fathom", p_external_ids: ["1", "2"], p_user_id: ann.id }, 200, ANY_ID],
    ["service", { p_source_app: "fathom", p_user_id: ann.id }, 200, ANY_ID],
    ["ben", { p_source_app: "fathom", p_user_id: ann.id }, 403, {
      code: "42501",
      message: 'new row violates row-level security policy for table "sync_jobs"',
      details: null,
      hint: null,
    }],
    ["service", { p_source_app: "fathom" }, 400, {
      code: "22023",
      message: "no owner: p_user_id and the JWT's sub are missing",
      details: null,
      hint: noOwner.hint,
    }],
    ["odd", { p_source_app: "fathom" }, 400, noUuid],
    ["ann", { p_source_app: " " }, 400, {
      code: "22023",
      message: "p_source_app is blank",
      details: null,
      hint: "Pass the name of the source, like fathom.",
    }],
    ["ann", { p_source_app: null }, 400, isNull("p_source_app")],
  ],
  finish_sync_job: [
    ["ben", { p_sync_job_id: job }, 400, noJob],
    ["ann", { p_sync_job_id: null }, 400, noJob],
    ["ann", { p_sync_job_id: job }, 200, {
      status: "completed",
      imported: 0,
      skipped: 0,
      failed: 0,
      message: "0 new, 0 skipped, 0 failed",
    }],
    ["service", { p_sync_job_id: otherJob, p_error: "Zoom is down" }, 200, {
      status: "failed",
      imported: 0,
      skipped: 0,
      failed: 0,
      message: "0 new, 0 skipped, 0 failed",
    }],
  ],
  retry_failed_imports: [
    // The batches above have left one failure.
    ["ann", {}, 200, {
      total: 1,
      imported: 0,
      skipped: 0,
      failed: 1,
      results: [{ index: 0, externalId: null, success: false, code: "22023", error: allMissing }],
    }],
    ["ann", { p_source_app: "youtube", p_user_id: null, p_limit: 5 }, 200, emptyBatch],
    ["service", { p_user_id: ann.id, p_source_app: "youtube" }, 200, emptyBatch],
    ["service", {}, 400, noOwner],
    ["ann", { p_limit: 0 }, 400, {
      code: "22023",
      message: "p_limit must be 1 or more, not 0",
      details: null,
      hint: null,
    }],
    ["ann", { p_limit: null }, 400, isNull("p_limit")],
  ],
};

for (const [name, rows] of Object.entries(cases)) {
  for (const [who, args, status, body] of rows) {
    const shown = JSON.stringify(args, (_, value) => value === undefined ? "undefined" : value);
    Deno.test(`${name} by ${who} with ${shown.length > 100 ? shown.slice(0, 97) + "…" : shown} gives ${status}`, async () => {
      assertLike(await call(callers[who], name, args), { status, body });
    });
  }

  Deno.test(`${name} by anon is refused with 401`, async () => {
    const [, args] = rows.find(([, , status]) => status === 200)!;
    assert.deepEqual(await call(anon, name, args), {
      status: 401,
      body: { code: "42501", message: `permission denied for function ${name}`, details: null, hint: null },
    });
  });
}

const byGet: Record<string, Case[]> = {
  check_duplicate: [
    ["ann", { p_user_id: ann.id, p_source_app: "fathom", p_external_id: "known" }, 200, duplicate],
    ["service", { p_user_id: ann.id, p_source_app: "fathom", p_external_id: "other" }, 200, { isDuplicate: false }],
  ],
  check_duplicates: [
    ["ann", { p_user_id: ann.id, p_source_app: "fathom", p_external_ids: ["known", "other"] }, 200, [
      { external_id: "known", is_duplicate: true, existing_recording_id: known },
      { external_id: "other", is_duplicate: false, existing_recording_id: null },
    ]],
    // supabase-js joins the ids with commas and does not quote an id with a comma.
    ["ann", { p_user_id: ann.id, p_source_app: "fathom", p_external_ids: ["a,known"] }, 200, [
      { external_id: "a", is_duplicate: false, existing_recording_id: null },
      { external_id: "known", is_duplicate: true, existing_recording_id: known },
    ]],
  ],
  get_import_counts: [
    ["ben", {}, 200, [{ source_app: "fathom", call_count: 1 }]],
    ["ben", { p_user_id: undefined }, 200, [{ source_app: "fathom", call_count: 1 }]],
    ["service", { p_user_id: ben.id }, 200, [{ source_app: "fathom", call_count: 1 }]],
    // A query string can't express null.
    ["ben", { p_user_id: null }, 400, { ...noUuid, message: 'invalid input syntax for type uuid: "null"' }],
  ],
};

for (const [name, rows] of Object.entries(byGet)) {
  for (const [who, args, status, body] of rows) {
    Deno.test(`${name} by ${who} and GET with ${JSON.stringify(args)} gives ${status}`, async () => {
      assertLike(await call(callers[who], name, args, { get: true }), { status, body });
    });
  }
}

Deno.test("the rows of check_duplicates can be filtered like a table's", async () => {
  const asked = { p_user_id: null, p_source_app: "fathom", p_external_ids: ["known", "other"] };
  const { data } = await ann.supabase.rpc("check_duplicates", asked).eq("is_duplicate", false);
  assert.deepEqual(data, [{ external_id: "other", is_duplicate: false, existing_recording_id: null }]);
});

Deno.test("check_duplicates with more ids than the API returns rows answers the first 1,000", async () => {
  const ids = Array.from({ length: 1001 }, (_, n) => `${n}`);
  const asked = { p_user_id: null, p_source_app: "fathom", p_external_ids: ids };
  const { data, count } = await ann.supabase.rpc("check_duplicates", asked, { count: "exact" });
  assert.deepEqual([data.length, count], [1000, 1001]);
});

Deno.test("the API exposes the functions of the contract and no others", async () => {
  const description = await (await rest("", serviceKey)).json();
  const shown = Object.keys(description.paths).filter((path) => path.startsWith("/rpc/")).map((path) => path.slice(5));
  assert.deepEqual(shown.sort(), Object.keys(cases).sort());
});

Deno.test("administration functions can't be called over HTTP", async () => {
  for (const name of ["bootstrap", "bootstrap_auth", "duplicates", "merge_duplicates", "backfill"]) {
    assert.equal((await call(service, name)).status, 404);
    const { status, error } = await service.schema("connector_pipeline").rpc(name);
    assert.deepEqual([status, error?.code], [406, "PGRST106"]);
  }
});
