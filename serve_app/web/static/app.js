// The page at /: takes documents, has them read, shows what was read. The parts are in modules of their own.

import { hideTip } from "./boxes.js";
import { entryNow, layOut, listenToDesk, openPage, redraw, redrawPage, reopenPage, toggleBoxes, turnPages } from "./desk.js";
import { $, element } from "./dom.js";
import { clearFinder, listenToFinder, refreshFinder } from "./finder.js";
import { chooseFiles, listenToIntake } from "./intake.js";
import { listenForKey } from "./key.js";
import { step } from "./lines.js";
import { retellMissing, tellMissing, unread } from "./missing.js";
import { copy, listenToPrinting } from "./output.js";
import { showProgress, startClock, stopClock } from "./progress.js";
import { Reading } from "./reading.js";
import { isUnsure } from "./regions.js";
import { listenToSaving, retellSaving, saveAs, stopSaving } from "./saving.js";
import { isReady } from "./service.js";
import { listenToKeys } from "./shortcuts.js";
import { listenToTabs, openOtherTab, openTab } from "./tabs.js";
import { announce } from "./toast.js";
import { forgetTries, listenToTrouble, showTrouble, stopWaiting, tellTrouble } from "./trouble.js";
import { fit, listenToViewer, zoomIn, zoomOut } from "./viewer.js";
import { choose as chooseLanguage, fill, seconds, speak, spentName, word } from "./words.js";

const READY_POLL_MS = 2000;

let reading = null;

const state = () => document.body.dataset.state;
const layoutChoice = (which) => document.querySelector(`input[name=layout]${which}`);

// Which of the page's parts are there in each state: empty, trouble, reading, read.
function enter(next) {
  document.body.dataset.state = next;
  $("welcome").hidden = next !== "empty";
  $("trouble").hidden = next !== "trouble";
  $("desk").hidden = !["reading", "read"].includes(next);
  $("progress").hidden = next !== "reading";
  $("again").hidden = next === "empty";
  hideTip();
}

function take(files, layout) {
  forgetTries();
  start(files, layout);
}

/** Have documents read in a layout; without one in that which was chosen for them. */
async function start(files, layout = layoutChoice(":checked").value) {
  stopWaiting();
  stopSaving();
  reading?.close();
  const mine = (reading = new Reading(files, layout));
  // It was chosen for these documents; the next may come from where the choice is out of sight.
  layoutChoice("[value=page]").checked = true;
  tellMissing(null);
  layOut(mine);
  enter("reading");
  fit();
  startClock();
  try {
    await mine.run((entry) => reading === mine && changed(entry));
    if (reading === mine) finish();
  } catch (error) {
    if (reading === mine && error.name !== "AbortError") fail(error);
  } finally {
    if (reading === mine) stopClock();
  }
}

function changed(entry) {
  if (entry?.result) refreshFinder();
  redraw();
}

function finish(breach = null) {
  enter("read");
  showTiming();
  tellMissing(reading, breach);
  $("copy").disabled = !reading.text.trim();
  const lines = reading.results.flatMap((page) => page.regions);
  const pages = reading.results.length - reading.failed.length;
  const read = fill(pages === 1 ? "finishedOne" : "finished", {
    lines: lines.length, unsure: lines.filter(isUnsure).length, pages,
  });
  announce(`${read} ${unread(reading)}`.trim());
}

function showTiming() {
  const { total, ...stages } = reading.timingsMs ?? {};
  $("timing").hidden = total === undefined;
  if (total === undefined) return;
  const parts = Object.entries(stages).map(([stage, spent]) => `${spentName(stage)} ${seconds(spent)}`);
  $("timing-total").textContent = `${word("readIn")} ${seconds(total)}`;
  $("timing-stages").replaceChildren(
    `${parts.join(" · ")} · ${word("requestId")} `, element("code", {}, reading.requestId),
  );
}

/** A reading that failed: keep the pages that are there, else explain. */
function fail(error) {
  if (reading.results.length) {
    breakOff("brokeOff", error);
    return;
  }
  const { files, layout } = reading;
  explain(error, { retry: () => start(files, layout), open: files.length > 1 });
}

function explain(error, how) {
  showTrouble(error, how);
  enter("trouble");
  ($("retry").hidden ? $("dismiss") : $("retry")).focus();
}

/** Nothing came that could be read. */
function decline(error, retry) {
  reset();
  explain(error, { retry, open: false });
}

function cancel() {
  reading.cancel();
  stopClock();
  if (reading.results.length) breakOff("cancelled");
  else reset();
}

function breakOff(name, error = null) {
  reading.keepRead();
  finish({ name, error });
  reopenPage();
}

function reset() {
  stopWaiting();
  stopSaving();
  reading?.close();
  reading = null;
  enter("empty");
  $("choose").focus();
}

function escape() {
  if (state() === "reading") cancel();
  else if (state() === "trouble") reset();
  else if ($("search").value) clearFinder();
  else return false;
  return true;
}

async function watchReadiness() {
  const ready = await isReady();
  $("ready").hidden = ready;
  if (!ready) setTimeout(watchReadiness, READY_POLL_MS);
}

function switchLanguage(next) {
  chooseLanguage(next);
  if (state() === "trouble") tellTrouble();
  if (!["reading", "read"].includes(state())) return;
  showProgress(reading);
  showTiming();
  retellMissing();
  retellSaving();
  redrawPage();
}

// A shortcut that has nothing to act on leaves the key to the browser.
const whenRead = (act) => (...values) => (reading?.results.length ? act(...values) : false);

const ACTIONS = {
  line: whenRead((by) => ($("lines").hidden ? false : step(by))),
  page: whenRead((by) => (reading.pages.length > 1 ? turnPages(by) : false)),
  search: whenRead(() => $("search").focus()),
  zoomIn: whenRead(zoomIn),
  zoomOut: whenRead(zoomOut),
  zoomFit: whenRead(fit),
  boxes: whenRead(toggleBoxes),
  tabs: whenRead(openOtherTab),
  copyAll: whenRead(() => copy(reading.text)),
  open: chooseFiles,
  escape,
};

function listen() {
  const on = (id, act) => $(id).addEventListener("click", act);
  for (const id of ["again", "dismiss"]) on(id, reset);
  on("broken-retry", () => take(reading.files, reading.layout));
  on("cancel", cancel);
  on("copy", () => copy(reading.text));
  on("save", () => saveAs(reading, $("save-as").value, entryNow()));
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => switchLanguage(button.dataset.language));
  }
  listenToKeys(ACTIONS);
  listenToFinder(() => reading?.pages ?? [], openPage);
  listenToIntake(take, decline);
  listenToTrouble();
  listenForKey();
  listenToPrinting(() => reading);
  listenToSaving();
  listenToViewer();
  listenToDesk();
  listenToTabs();
}

speak();
listen();
openTab("lines");
enter("empty");
watchReadiness();
