// Imports a meeting when Fathom says that it is ready. Fathom calls it: in supabase/config.toml,
//   [functions.fathom-webhook]
//   verify_jwt = false
// Copy this folder to supabase/functions, the module and database.types.ts to supabase/functions/_shared, and mend its import.

import { createClient } from "@supabase/supabase-js";
import { receiveMeeting } from "./receive-meeting.ts";

// One webhook, one user. For many, give each an address of its own and keep its secret and its user where only the
// service role can read them. Don't take the user from what the payload says, nor by the e-mail address in
// import_sources, which users write themselves: either lets somebody have another's meetings.
const secret = Deno.env.get("FATHOM_WEBHOOK_SECRET");
const owner = Deno.env.get("FATHOM_WEBHOOK_USER_ID");
// Without an owner, meetings would be answered with 200 and be nobody's.
if (!secret || !owner) throw new Error("FATHOM_WEBHOOK_SECRET and FATHOM_WEBHOOK_USER_ID have to be set");
const supabase = createClient(Deno.env.get("SUPABASE_URL")!, Deno.env.get("SUPABASE_SERVICE_ROLE_KEY")!);

Deno.serve((request) => receiveMeeting(request, supabase, secret, owner));
