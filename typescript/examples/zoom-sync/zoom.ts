/** What is used of a recording in Zoom's answer to GET /users/{userId}/recordings. */
export interface Meeting {
  uuid: string;
  topic: string;
  start_time: string;
  duration: number;
  share_url?: string;
  recording_files: { file_type: string; recording_start?: string; status?: string; download_url: string }[];
}

export async function* listRecordings(zoomApi: string, zoomToken: string, from: string, to: string) {
  const tokens = new Set([""]); // The loop visits what is added on the way.
  for (const next_page_token of tokens) {
    const query = new URLSearchParams({ from, to, page_size: "30", next_page_token });
    const page = JSON.parse(await askZoom(`${zoomApi}/users/me/recordings?${query}`, zoomToken));
    yield page.meetings.map((meeting: Meeting) => ({ ...meeting, recording_files: meeting.recording_files ?? [] }));
    if (page.next_page_token && tokens.has(page.next_page_token)) throw new Error("Zoom: the pages repeat");
    if (page.next_page_token) tokens.add(page.next_page_token);
  }
}

/** All parts, for a recording may have been stopped and started again. Empty where it has none. */
export async function fetchTranscript({ recording_files }: Meeting, zoomToken: string): Promise<string> {
  const files = recording_files.filter((file) => file.file_type === "TRANSCRIPT");
  files.sort((one, other) => Date.parse(one.recording_start ?? "") - Date.parse(other.recording_start ?? ""));
  const texts = await Array.fromAsync(files, async (file) => textOf(await askZoom(file.download_url, zoomToken)));
  return texts.join("\n");
}

/** The spoken lines of a WebVTT file: of each cue what follows its times. */
function textOf(vtt: string): string {
  // A download that is refused may be answered with 200 and a page to sign in.
  if (!vtt.startsWith("WEBVTT")) throw new Error(`Zoom: this is no transcript: ${vtt.slice(0, 50)}`);
  const spoken = vtt.replaceAll("\r", "").split(/\n{2,}/).map((cue) => /-->.*\n([^]*)/.exec(cue)?.[1].trim());
  return spoken.filter(Boolean).join("\n");
}

/** What Zoom answers. An error has the HTTP status for a cause. */
async function askZoom(url: string, zoomToken: string): Promise<string> {
  const headers = { Authorization: `Bearer ${zoomToken}` };
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(20_000) });
  const answer = await response.text();
  if (response.ok) return answer;
  const message = /"message":\s*"([^"]*)"/.exec(answer)?.[1] ?? answer.slice(0, 200);
  throw new Error(`Zoom: ${response.status} ${message}`, { cause: response.status });
}
