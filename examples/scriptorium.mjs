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

export class Scriptorium {
  constructor(url, { key, tries = 5 } = {}) {
    this.url = url;
    this.headers = key ? { Authorization: `Bearer ${key}` } : {};
    this.tries = tries;
  }

  // The answer to a document, a Blob or File. Parameters are those of /ocr, such as {format: "pdf"}.
  async read(document, parameters = {}, accept = "application/json") {
    const form = new FormData();
    form.append("image", document, document.name ?? "document");
    const headers = { ...this.headers, Accept: accept };
    for (let attempt = 1; ; attempt++) {
      const query = new URLSearchParams(parameters);
      const answer = await fetch(`${this.url}/ocr?${query}`, { method: "POST", body: form, headers });
      if (answer.ok) return answer;
      const waitSeconds = Number(answer.headers.get("Retry-After"));
      if (!waitSeconds || attempt === this.tries) throw new Problem(await answer.json());
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

// Whole lines, as they come; they end with the connection too, however that ends.
async function* lines(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  const next = () => reader.read().catch(() => ({ done: true }));
  let rest = "";
  for (let part = await next(); !part.done; part = await next()) {
    const pieces = (rest + part.value).split("\n");
    rest = pieces.pop();
    yield* pieces;
  }
}
