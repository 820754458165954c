// The service behind the page.

/** A refusal, as the service words it (problem+json), or no answer at all (code "offline"). */
export class Refusal extends Error {
  constructor({ code, title = "", detail = "", requestId = "", mayPass = false }) {
    super(detail || title);
    Object.assign(this, { code, title, detail, requestId, mayPass });
  }
}

/** Read a document; the answer is that of POST /ocr. */
export async function read(file, layout, signal) {
  let response;
  try {
    response = await fetch(`ocr?layout=${encodeURIComponent(layout)}`, { method: "POST", body: file, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal({ code: "offline", mayPass: true });
  }
  if (response.ok) return response.json();
  throw await refusal(response);
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
    const problem = await response.json();
    const code = problem.type.split("/").pop();
    return new Refusal({ code, title: problem.title, detail: problem.detail, requestId, mayPass });
  } catch {
    // A proxy on the way answered, not the service.
    return new Refusal({ code: `http_${response.status}`, title: `HTTP ${response.status}`, requestId, mayPass });
  }
}
