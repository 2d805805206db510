// Imports a transcript that a user uploads: POST a form with "file", and "title" and "recorded_at" where known, with the
// user's JWT.
// Copy this folder to supabase/functions, the module and database.types.ts to supabase/functions/_shared, and mend its import.

import { createClient } from "@supabase/supabase-js";
import { importUpload } from "./import-upload.ts";

Deno.serve((request) => {
  // As the user who calls: under row-level security, and with the subject of the JWT for an owner.
  const supabase = createClient(Deno.env.get("SUPABASE_URL")!, Deno.env.get("SUPABASE_ANON_KEY")!, {
    auth: { persistSession: false, autoRefreshToken: false },
    global: { headers: { Authorization: request.headers.get("Authorization") ?? "" } },
  });
  return importUpload(request, supabase);
});
