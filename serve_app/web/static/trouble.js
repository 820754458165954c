// What went wrong, as a clear sentence, and trying again: by itself where the service says when.

import { $ } from "./dom.js";
import { Refusal } from "./service.js";
import { adviceOn, fill, problemTitle, word } from "./words.js";

const MOST_TRIES = 5;
const LONGEST_WAIT_S = 60;

let timer = 0;
let tries = 0;

/** An error as a Refusal, whatever it was. */
export const refusalOf = (error) =>
  error instanceof Refusal ? error : new Refusal({ code: "page", title: String(error) });

/** One sentence for a place without room. */
export const sentenceOf = (error) => {
  const refusal = refusalOf(error);
  return problemTitle(refusal.code, refusal.title);
};

/** Explain a refusal; where the service says when to come back, `retry` is called then, a few times. */
export function showTrouble(error, retry) {
  const refusal = refusalOf(error);
  $("trouble-title").textContent = sentenceOf(error);
  $("trouble-advice").textContent = adviceOn(refusal.code);
  $("trouble-detail").textContent = refusal.detail === refusal.title ? "" : refusal.detail;
  $("trouble-id").textContent = refusal.requestId ? `${word("requestId")} ${refusal.requestId}` : "";
  $("retry").hidden = !refusal.mayPass;
  $("dismiss").classList.toggle("main", !refusal.mayPass);
  $("trouble-count").hidden = true;
  if (refusal.retryAfterS && tries < MOST_TRIES) countDown(Math.min(refusal.retryAfterS, LONGEST_WAIT_S), retry);
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
