// What went wrong, as a clear sentence, and trying again: by itself where the service says when.

import { $ } from "./dom.js";
import { Refusal } from "./service.js";
import { adviceOn, fill, isKnown, problemTitle, word } from "./words.js";

const MOST_TRIES = 5;
const LONGEST_WAIT_S = 60;

let timer = 0;
let tries = 0;
let shown = null;
let again = null;

/** An error as a Refusal, whatever it was. */
export const refusalOf = (error) =>
  error instanceof Refusal ? error : new Refusal({ code: "page", title: String(error) });

/** One sentence for a place without room. */
export const sentenceOf = (error) => {
  const refusal = refusalOf(error);
  return problemTitle(refusal.code, refusal.title);
};

/** The sentence, what to do about it, and the request that it was. */
export const reasonOf = (error) => {
  const refusal = refusalOf(error);
  const request = refusal.requestId && `${word("requestId")} ${refusal.requestId}`;
  return `${sentenceOf(refusal)}. ${[adviceOn(refusal), request].filter((part) => part).join(" ")}`;
};

/**
 * Explain a refusal; where the service says when to come back, `retry` is called then, a few times.
 * `open` shows the service's own words at once: of several files they say which is at fault.
 */
export function showTrouble(error, { retry, open }) {
  const refusal = (shown = refusalOf(error));
  again = retry;
  tellTrouble();
  $("trouble-more").open = open;
  $("retry").hidden = !refusal.mayPass;
  $("dismiss").className = refusal.mayPass ? "plain" : "main";
  $("trouble-count").hidden = true;
  if (refusal.retryAfterS && tries < MOST_TRIES) countDown(Math.min(refusal.retryAfterS, LONGEST_WAIT_S), retry);
}

export function listenToTrouble() {
  $("retry").addEventListener("click", () => {
    forgetTries();
    again();
  });
}

/** Say it, or say it again in the language that was chosen meanwhile. */
export function tellTrouble() {
  const { code, title, detail, requestId } = shown;
  $("trouble-title").textContent = problemTitle(code, title);
  // A problem that this page has no words for is told in the service's.
  $("trouble-title").lang = isKnown(code) ? document.documentElement.lang : "en";
  $("trouble-advice").textContent = adviceOn(shown);
  $("trouble-detail").textContent = detail === title ? "" : detail;
  $("trouble-id").textContent = requestId ? `${word("requestId")} ${requestId}` : "";
  $("trouble-more").hidden = !requestId && !$("trouble-detail").textContent;
}

/** Give the waiting up: something else happens now. */
export function stopWaiting() {
  clearInterval(timer);
}

/** Count tries anew: the next document, or a person's own will. */
export function forgetTries() {
  stopWaiting();
  tries = 0;
}

function countDown(seconds, retry) {
  let left = seconds;
  tries += 1;
  const tell = () => ($("trouble-count").textContent = fill("retryIn", { seconds: left }));
  $("trouble-count").hidden = false;
  tell();
  stopWaiting();
  timer = setInterval(() => {
    left -= 1;
    tell();
    if (left > 0) return;
    stopWaiting();
    retry();
  }, 1000);
}
