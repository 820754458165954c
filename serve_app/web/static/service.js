// The service behind the page.

/** A refusal, as the service words it (problem+json), or no answer at all (code "offline"). */
export class Refusal extends Error {
  constructor({ code, title = "", detail = "", requestId = "", mayPass = false }) {
    super(detail || title);
    Object.assign(this, { code, title, detail, requestId, mayPass });
  }
}

/**
 * Read a document page by page. The answer is that of POST /ocr, with `page_count` and, when the reading
 * broke off, the `broken` Refusal; `onPage(answer)` is called after every page with what is there so far.
 */
export async function read(file, layout, signal, onPage) {
  const answer = { request_id: "", pages: [], page_count: 0, timings_ms: {}, engines: {}, broken: null };
  for await (const line of linesOf(await post(`layout=${encodeURIComponent(layout)}`, file, signal, "application/x-ndjson"))) {
    const { start, page, problem, end } = JSON.parse(line);
    if (start) Object.assign(answer, start);
    if (end) answer.timings_ms = end.timings_ms;
    if (problem) answer.broken = refusalOf(problem, problem.request_id, true);
    if (page) {
      answer.pages.push(page);
      onPage(answer);
    }
  }
  return answer;
}

/** The document in another format, as a Blob. */
export async function readAs(file, layout, format) {
  return (await post(`layout=${encodeURIComponent(layout)}&format=${format}`, file)).blob();
}

async function post(query, file, signal, accept = "*/*") {
  let response;
  try {
    response = await fetch(`ocr?${query}`, { method: "POST", body: file, signal, headers: { Accept: accept } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal({ code: "offline", mayPass: true });
  }
  if (response.ok) return response;
  throw await refusal(response);
}

async function* linesOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read().catch((error) => {
      throw error.name === "AbortError" ? error : new Refusal({ code: "offline", mayPass: true });
    });
    const lines = (rest + (value ?? "")).split("\n");
    rest = done ? "" : lines.pop();
    yield* lines.filter((line) => line);
    if (done) return;
  }
}

/** Whether every stage is warm. */
export async function isReady() {
  try {
    return (await fetch("readyz", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

async function refusal(response) {
  const requestId = response.headers.get("X-Request-ID") ?? "";
  const mayPass = response.status >= 500;
  try {
    return refusalOf(await response.json(), requestId, mayPass);
  } catch {
    // A proxy on the way answered, not the service.
    return new Refusal({ code: `http_${response.status}`, title: `HTTP ${response.status}`, requestId, mayPass });
  }
}

const refusalOf = ({ type, title, detail }, requestId, mayPass) =>
  new Refusal({ code: type.split("/").pop(), title, detail, requestId, mayPass });
