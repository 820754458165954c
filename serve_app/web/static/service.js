// The service behind the page.

import { askForKey, keepKey, knownKey } from "./key.js";

/**
 * A refusal, as the service words it (problem+json), no answer at all (code "offline"), or one of this page.
 * `values()` are what its words leave open, as the language at hand writes them.
 */
export class Refusal extends Error {
  constructor({
    code, title = "", detail = "", requestId = "", mayPass = false, retryAfterS = null, values = () => ({}),
  }) {
    super(detail || title);
    Object.assign(this, { code, title, detail, requestId, mayPass, retryAfterS, values });
  }
}

/**
 * Read documents page by page; every line of the streamed answer is handed to `onLine` as it comes: an
 * object with one of `start`, `picture`, `step`, `page` and `end`. A reading that breaks off is a Refusal,
 * and so is one without its `end`.
 */
export async function read(files, parameters, signal, onLine) {
  const query = { ...parameters, words: true, progress: true };
  const headers = { Accept: "application/x-ndjson" };
  const response = await ask(`ocr?${new URLSearchParams(query)}`, { method: "POST", body: formOf(files), headers, signal });
  let ended = false;
  for await (const text of linesOf(response)) {
    const line = JSON.parse(text);
    if (line.problem) throw refusalFrom(line.problem, line.problem.request_id, true, line.problem.retry_after_s);
    onLine(line);
    ended = Boolean(line.end);
  }
  if (!ended) throw new Refusal({ code: "cut_short", mayPass: true });
}

/** Whether every stage is warm. */
export async function isReady() {
  try {
    return (await fetch("readyz", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

/** Documents as the body of a request. */
export function formOf(files) {
  const body = new FormData();
  for (const file of files) body.append("file", file, file.name || "document");
  return body;
}

/** Ask for an address of the service; where it wants an API key, so is the person. No answer is a Refusal. */
export async function ask(address, { headers = {}, ...options }) {
  for (let key = knownKey(); ;) {
    const all = { Accept: "*/*", ...headers, ...(key && { "X-API-Key": key }) };
    const response = await fetch(address, { ...options, headers: all }).catch(lost);
    if (key && response.status !== 401) keepKey(key);
    if (response.ok) return response;
    const refusal = await refused(response);
    if (response.status !== 401) throw refusal;
    key = await askForKey({ wrong: key !== null });
    if (key === null) throw refusal;
  }
}

/** The body of an answer, as a Blob. */
export const blobOf = (response) => response.blob().catch(lost);

function lost(error) {
  throw error.name === "AbortError" ? error : new Refusal({ code: "offline", mayPass: true });
}

/** Whole lines as they come: what follows the last line break is half of one. */
async function* linesOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read().catch(lost);
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    yield* lines;
  }
}

async function refused(response) {
  const requestId = response.headers.get("X-Request-ID") ?? "";
  const mayPass = response.status >= 500 || [401, 408, 429].includes(response.status);
  const retryAfterS = Number.parseInt(response.headers.get("Retry-After"), 10) || null;
  try {
    return refusalFrom(await response.json(), requestId, mayPass, retryAfterS);
  } catch {
    // A proxy on the way answered, not the service.
    const code = `http_${response.status}`;
    return new Refusal({ code, title: `HTTP ${response.status}`, requestId, mayPass, retryAfterS });
  }
}

/** A problem document as a Refusal. */
export const refusalFrom = ({ type, title, detail }, requestId, mayPass, retryAfterS = null) =>
  new Refusal({ code: type.split("/").pop(), title, detail, requestId, mayPass, retryAfterS });
