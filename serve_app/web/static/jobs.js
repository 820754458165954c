// Documents that the service writes in a format: in one request, or by a job where that may take too long.

import { ask, blobOf, formOf, Refusal, refusalFrom } from "./service.js";

const MOST_TRIES = 5;
const LONGEST_WAIT_S = 60;
const LOOK_AGAIN_S = 2;
// Where the service takes no jobs, or no more of them, a document may still fit into a request.
const NO_JOBS = ["not_found", "http_404", "too_many_jobs", "job_storage_full"];
const PASSING = ["offline", "http_500", "http_502", "http_503"];

/**
 * Documents in a format, as a Blob. `byJob` is for those of several pages: a request has a deadline, a job
 * has none. `onPages(done, count)` hears of its progress, `onWait(refusal, seconds)` of what is tried again.
 */
export async function written(files, parameters, { byJob, onPages, ...how }) {
  const query = new URLSearchParams(parameters);
  if (byJob) {
    try {
      return await writtenByJob(files, query, onPages, how);
    } catch (error) {
      if (!NO_JOBS.includes(error.code)) throw error;
    }
  }
  const body = formOf(files);
  return patiently(async () => blobOf(await ask(`ocr?${query}`, { method: "POST", body, signal: how.signal })), how);
}

async function writtenByJob(files, query, onPages, how) {
  const { signal } = how;
  // Sent again after an answer that was lost, it is still one job.
  const headers = { "Idempotency-Key": crypto.getRandomValues(new Uint32Array(4)).join("-") };
  // Not cut off either: what nobody heard the id of could not be removed.
  const submission = { method: "POST", body: formOf(files), headers };
  const { id } = await patiently(async () => jsonOf(await ask(`jobs?${query}`, submission)), how);
  // The service keeps a job for a day. It goes when its result is here, and when the page is left before.
  const removed = () => ask(`jobs/${id}`, { method: "DELETE", keepalive: true });
  const leave = () => removed().catch(() => null);
  addEventListener("pagehide", leave);
  try {
    signal.throwIfAborted();
    await finished(id, onPages, how);
    return await patiently(async () => blobOf(await ask(`jobs/${id}/result`, { signal })), how);
  } finally {
    removeEventListener("pagehide", leave);
    patiently(removed, {}).catch(() => null);
  }
}

async function finished(id, onPages, how) {
  for (;;) {
    const job = await patiently(async () => jsonOf(await ask(`jobs/${id}`, { signal: how.signal })), how);
    if (job.problem) throw refusalFrom(job.problem, job.problem.request_id, true);
    if (job.finished_at) return;
    onPages(job.progress.pages_done, job.progress.page_count);
    await pause(LOOK_AGAIN_S, how.signal);
  }
}

const jsonOf = async (response) => JSON.parse(await (await blobOf(response)).text());

/** Do it, again where it may pass: when the service says, or after 2, 4, 8, ... seconds. */
async function patiently(act, { signal, onWait }) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await act();
    } catch (error) {
      signal?.throwIfAborted();
      const waitS = waitAfter(error, tries);
      if (!waitS || tries === MOST_TRIES) throw error;
      onWait?.(error, waitS);
      await pause(waitS, signal);
    }
  }
}

function waitAfter(error, tries) {
  if (!(error instanceof Refusal) || NO_JOBS.includes(error.code)) return 0;
  const waitS = error.retryAfterS ?? (PASSING.includes(error.code) ? 2 ** tries : 0);
  return Math.min(waitS, LONGEST_WAIT_S);
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
