// What is asked of Zoom.

/** What is used of a recording in Zoom's answer to GET /users/{userId}/recordings. */
export interface Meeting {
  uuid: string;
  topic: string;
  start_time: string;
  duration: number;
  share_url?: string;
  recording_files?: { file_type: string; recording_start?: string; status?: string; download_url: string }[];
}

export class ZoomError extends Error {
  constructor(readonly status: number, message: string) {
    super(`Zoom: ${status} ${message}`);
  }
}

/** Empty where the recording has none. */
export async function fetchTranscript({ recording_files = [] }: Meeting, zoomToken: string): Promise<string> {
  // One for each time that the recording was stopped and started again.
  const files = recording_files.filter((file) => file.file_type === "TRANSCRIPT");
  files.sort((one, other) => Date.parse(one.recording_start ?? "") - Date.parse(other.recording_start ?? ""));
  const texts: string[] = [];
  for (const file of files) texts.push(textOf(await askZoom(file.download_url, zoomToken)));
  return texts.join("\n");
}

/** The spoken lines of a WebVTT file: of each cue what follows its times. */
function textOf(vtt: string): string {
  // A download that is refused may be answered with 200 and a page to sign in.
  if (!vtt.startsWith("WEBVTT")) throw new ZoomError(200, `this is no transcript: ${vtt.slice(0, 50)}`);
  const spoken = vtt.replaceAll("\r", "").split(/\n{2,}/).map((cue) => /-->.*\n([^]*)/.exec(cue)?.[1].trim());
  return spoken.filter(Boolean).join("\n");
}

/** Page by page. */
export async function* listRecordings(zoomApi: string, zoomToken: string, query: Record<string, string>) {
  const asked = new Set<string>();
  let next_page_token = "";
  do {
    asked.add(next_page_token);
    const parameters = new URLSearchParams({ ...query, next_page_token });
    const answer = await askZoom(`${zoomApi}/users/me/recordings?${parameters}`, zoomToken);
    const page: { meetings: Meeting[]; next_page_token?: string } = JSON.parse(answer);
    yield page.meetings;
    next_page_token = page.next_page_token ?? "";
    if (next_page_token && asked.has(next_page_token)) throw new ZoomError(200, "the pages repeat");
  } while (next_page_token);
}

async function askZoom(url: string, zoomToken: string): Promise<string> {
  const headers = { Authorization: `Bearer ${zoomToken}` };
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(20_000) });
  const answer = await response.text();
  if (response.ok) return answer;
  throw new ZoomError(response.status, /"message":\s*"([^"]*)"/.exec(answer)?.[1] ?? answer.slice(0, 200));
}
