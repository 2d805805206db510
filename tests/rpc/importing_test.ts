// Imports by RPC, as edge functions make them.

import assert from "node:assert/strict";
import { newUser, record } from "./support.ts";

Deno.test("a record is imported once", async () => {
  const user = await newUser();
  const first = await user.supabase.rpc("run_pipeline", { p_record: record("a") });
  assert.deepEqual([first.status, first.error, first.data?.success], [200, null, true]);
  const second = await user.supabase.rpc("run_pipeline", { p_record: record("a") });
  assert.deepEqual(second.data, { success: false, skipped: true, recordingId: first.data.recordingId });
});
