// Read documents with fetch: in browsers, Node 18 and later, Deno and Bun.
//
//   import { Scriptorium } from "./scriptorium.mjs";
//   const service = new Scriptorium("http://127.0.0.1:8000", { key });
//   const text = await (await service.read(file, { format: "text" })).text();
//   for await (const page of service.pages(file)) console.log(page.text);
//
// A web page of another origin must be listed in access.cors.origins of the service.

export class Problem extends Error {
  constructor(problem) {
    super(`${problem.title}: ${problem.detail} (request ${problem.request_id})`);
    this.problem = problem;
  }
}

// What Ray Serve or a proxy answers by itself while a part of the service is away.
const PASSING = [500, 502, 503, 504];

export class Scriptorium {
  constructor(url, { key, tries = 5 } = {}) {
    this.url = url.replace(/\/+$/, "");
    this.headers = key ? { Authorization: `Bearer ${key}` } : {};
    this.tries = tries;
  }

  // The answer to a document, a Blob or File. Parameters are those of /ocr, such as {format: "pdf"}. What may
  // help is tried again, when the service says or after 1, 2, 4, ... seconds. Throws a Problem where the
  // service answers with one.
  async read(document, parameters = {}, accept = "application/json") {
    const form = new FormData();
    form.append("image", document, document.name ?? "document");
    const headers = { ...this.headers, Accept: accept };
    const url = `${this.url}/ocr?${new URLSearchParams(parameters)}`;
    for (let attempt = 1; ; attempt++) {
      const answer = await fetch(url, { method: "POST", body: form, headers }).catch((error) => error);
      if (answer.ok) return answer;
      const failure = await failureOf(answer, this.url);
      const waitSeconds = waitAfter(answer, failure, attempt);
      if (!waitSeconds || attempt === this.tries) throw failure;
      await new Promise((resolve) => setTimeout(resolve, waitSeconds * 1000));
    }
  }

  // Each page as soon as it is read; one that could not be read has an `error`. Throws where the answer
  // ends before its line `end`: pages are missing then.
  async *pages(document, parameters = {}) {
    const answer = await this.read(document, parameters, "application/x-ndjson");
    let ended = false;
    for await (const line of lines(answer.body)) {
      const { page, problem, end } = JSON.parse(line);
      if (problem) throw new Problem(problem);
      if (page) yield page;
      ended = Boolean(end);
    }
    if (!ended) throw new Error("Broken off: the answer has no end; read the document again");
  }
}

// What is wrong with an answer, or with the connection where an error came in its place.
async function failureOf(answer, url) {
  if (answer instanceof Error) {
    return new Error(`${url} does not take the document: ${answer.cause?.message || answer.message}`);
  }
  const problem = await answer.json().catch(() => null);
  return problem?.request_id ? new Problem(problem) : new Error(`HTTP ${answer.status}`);
}

// Seconds until another try may help, 0 where none does. A problem of the service says itself when to come
// back; Serve and proxies do not.
function waitAfter(answer, failure, attempt) {
  const said = Number(answer.headers?.get("Retry-After"));
  const mayPass = answer instanceof Error || (PASSING.includes(answer.status) && !(failure instanceof Problem));
  return said || (mayPass ? 2 ** (attempt - 1) : 0);
}

// Whole lines, as they come; they end with the connection too, however that ends.
async function* lines(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  const next = () => reader.read().catch(() => ({ done: true }));
  let rest = "";
  try {
    for (let part = await next(); !part.done; part = await next()) {
      const pieces = (rest + part.value).split("\n");
      rest = pieces.pop();
      yield* pieces;
    }
  } finally {
    // Whoever leaves the loop early wants no more: the service ends the request with the connection.
    await reader.cancel().catch(() => {});
  }
}
