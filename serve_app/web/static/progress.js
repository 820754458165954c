// What is being done while a reading goes on: the stages of the page at hand, and how many are left.

import { $, element, icon } from "./dom.js";
import { clockTime, fill, stageName, word } from "./words.js";

// The stages that a person is told of, and how much of a page is done when one begins.
const STEPS = [["decode", 0.05], ["detection", 0.15], ["classification", 0.5], ["recognition", 0.6]];
const PASSING = { crops: "detection", assembly: "recognition" };
const TICK_MS = 100;

let timer = 0;

export function startClock() {
  const startedMs = performance.now();
  const tick = () => ($("elapsed").textContent = clockTime(performance.now() - startedMs));
  stopClock();
  tick();
  timer = setInterval(tick, TICK_MS);
}

export function stopClock() {
  clearInterval(timer);
}

/** Tell how far a reading is. */
export function showProgress(reading) {
  const done = reading.results.length;
  const current = reading.pages.find((entry) => entry.result === null);
  const stage = stepOf(current);
  $("doing").textContent = sentence(reading, done, stage);
  const share = stage < 0 ? 0 : STEPS[stage][1];
  const bar = $("bar");
  if (reading.begun && reading.pageCount) bar.value = (done + share) / reading.pageCount;
  else bar.removeAttribute("value");
  const sent = reading.begun ? "done" : "now";
  $("steps").replaceChildren(
    step("send", sent),
    ...STEPS.map(([name], index) => step(name, !reading.begun || index > stage ? "todo" : index < stage ? "done" : "now")),
  );
}

function sentence(reading, done, stage) {
  if (!reading.begun) return word("sending");
  if (reading.pageCount < 2) return word("readingOne");
  return fill("readingMany", { page: Math.min(done + 1, reading.pageCount), pages: reading.pageCount, stage });
}

function stepOf(entry) {
  if (!entry) return -1;
  const name = PASSING[entry.stage] ?? entry.stage ?? "decode";
  return STEPS.findIndex(([each]) => each === name);
}

function step(name, state) {
  const mark = state === "done" ? icon("done") : element("i", {});
  return element("li", { class: state, "aria-current": state === "now" ? "step" : null }, mark, stageName(name));
}
