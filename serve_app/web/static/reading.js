// One reading: the pages of the documents that were sent, as they come to be known.

import { checkLimits, objectUrl, picturesOf } from "./documents.js";
import { read } from "./service.js";

const PICTURE_PX = 1600;

/**
 * `pages` has an entry for every page that the service has begun with: `file` and `page` (from 1), `picture`
 * (URL or null), `stage` (what it is in) and `result` (as in the answer of POST /ocr, or null).
 */
export class Reading {
  constructor(files, layout) {
    Object.assign(this, {
      files, layout, pages: [], pageCount: 0, pagesInAll: 0, requestId: "", engines: {}, timingsMs: null, begun: false,
    });
    this.pictures = [];
    this.attempt = new AbortController();
  }

  /** Read it; `onChange(entry)` is called after every change, with the page concerned or null. */
  async run(onChange) {
    this.pictures = await picturesOf(this.files);
    checkLimits(this.files);
    if (this.pictures[0]) onChange(this.entry({ file: 1, page: 1 }));
    const pictures = this.pictures.includes(null) ? { pictures: PICTURE_PX } : {};
    await read(this.files, { layout: this.layout, ...pictures }, this.attempt.signal, (line) => {
      if (!this.attempt.signal.aborted) onChange(this.take(line));
    });
  }

  /** Stop reading: the service is told, for the connection ends. */
  cancel() {
    this.attempt.abort();
  }

  /** Free the pictures. */
  close() {
    this.cancel();
    for (const url of [...this.pictures, ...this.pages.map((entry) => entry.picture)]) {
      if (url) URL.revokeObjectURL(url);
    }
  }

  /** Let go of the pages that were not read: no more will come. `pagesInAll` still counts them. */
  keepRead() {
    this.pages = this.pages.filter((entry) => entry.result !== null);
    this.pageCount = this.pages.length;
  }

  get results() {
    return this.pages.map((entry) => entry.result).filter((result) => result !== null);
  }

  /** The text of all pages that came, to be pasted somewhere; pages that could not be read are empty. */
  get text() {
    return this.texts.join("\n\n");
  }

  /** The same as a file, as `?format=text` writes it: every page but the first begins with a form feed. */
  get textFile() {
    return `${this.texts.join("\n\f")}\n`;
  }

  get texts() {
    return this.results.map((result) => result.text ?? "");
  }

  /** Numbers, from 1, of the pages that the service could not read. */
  get failed() {
    return this.pages.flatMap((entry, index) => (entry.result?.error ? [index + 1] : []));
  }

  /** The answer as POST /ocr gives it. */
  get answer() {
    return {
      request_id: this.requestId, pages: this.results, timings_ms: this.timingsMs ?? {}, engines: this.engines,
    };
  }

  take({ start, picture, step, page, end }) {
    if (start) {
      this.begun = true;
      Object.assign(this, { requestId: start.request_id, engines: start.engines });
      this.pageCount = this.pagesInAll = start.page_count;
    }
    if (end) this.timingsMs = end.timings_ms;
    if (!picture && !step && !page) return null;
    const entry = this.entry(picture ?? step ?? page);
    if (picture && !entry.picture) entry.picture = objectUrl(picture.image);
    if (step) entry.stage = step.stage;
    if (page) entry.result = page;
    return entry;
  }

  entry({ file, page }) {
    let entry = this.pages.find((each) => each.file === file && each.page === page);
    if (!entry) {
      entry = { file, page, picture: page === 1 ? this.pictures[file - 1] : null, stage: null, result: null };
      this.pages.push(entry);
    }
    return entry;
  }
}
