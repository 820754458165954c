// The desk: the page that is looked at, its picture, boxes and lines, and the way to the others.

import { clearBoxes, drawBoxes, hideTip } from "./boxes.js";
import { $ } from "./dom.js";
import { applyFilters, resetFilters } from "./filters.js";
import { clearFinder, markPage } from "./finder.js";
import { listLines, listNothing, revealLine } from "./lines.js";
import { copy } from "./output.js";
import { showProgress } from "./progress.js";
import { showStrip } from "./strip.js";
import { fit, ratioOf, reveal, showPicture } from "./viewer.js";

const SHEET = 3 / 4; // Of a page that nobody has seen yet.

let reading = null;
let index = 0;
let shown = null;
let frame = 0;

/** Clear the desk for a reading that begins. */
export function layOut(next) {
  [reading, index, shown] = [next, 0, null];
  resetFilters();
  clearFinder();
  $("result").classList.add("coming");
  $("timing").hidden = true;
  showPicture(null, SHEET);
  clearBoxes();
  listNothing();
  showStrip(reading, 0, openPage);
  showProgress(reading);
}

/** Something came: draw it with the next frame, together with whatever else comes until then. */
export function redraw() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    showProgress(reading);
    showStrip(reading, index, openPage);
    const entry = reading.pages[index];
    if (entry && (entry.picture !== shown?.picture || entry.result !== shown?.result)) showPage();
    tellBusy();
  });
  tellBusy();
}

/** Whether what is known is still to be drawn: who listens to the page, and its tests, wait for it. */
function tellBusy() {
  $("result").ariaBusy = String(frame !== 0 || shown?.drawn === false);
}

/** Show the page at an index, or the nearest that there is. */
export function openPage(next) {
  if (!reading?.pages.length) return;
  index = Math.min(Math.max(next, 0), reading.pages.length - 1);
  hideTip();
  fit();
  $("lines").scrollTo(0, 0);
  showStrip(reading, index, openPage);
  showPage();
}

/** Draw the page anew as it is looked at, in the language that was chosen meanwhile. */
export function redrawPage() {
  showStrip(reading, index, openPage);
  if (reading.pages.length) showPage();
}

export const turnPages = (by) => openPage(index + by);
export const reopenPage = () => openPage(index);
export const entryNow = () => reading.pages[index];

/** The picture of the page, and what was read on it as far as it was. */
async function showPage() {
  const entry = reading.pages[index];
  const page = entry.result;
  const mine = (shown = { picture: entry.picture, result: page, drawn: false });
  tellBusy();
  document.body.classList.toggle("unread", !page);
  $("result").classList.toggle("coming", !reading.results.length);
  const ratio = entry.picture && await ratioOf(entry.picture);
  if (mine !== shown) return; // Another page, or more of this one, came meanwhile.
  showPicture(ratio ? entry.picture : null, page ? page.width / page.height : ratio || SHEET);
  if (page) showRead(page, { blank: !ratio });
  else {
    clearBoxes();
    listNothing();
    $("filters").replaceChildren();
  }
  mine.drawn = true;
  tellBusy();
}

function showRead(page, { blank }) {
  const onChoose = (region, number) => {
    revealLine(number);
    pointAt(number);
    if (region.text) copy(region.text);
  };
  drawBoxes(page, { blank, onChoose, onPoint: revealLine });
  listLines(page, { onChoose, onPoint: pointAt });
  applyFilters(page);
  markPage(index);
}

function pointAt(number) {
  const box = document.querySelector(`#boxes [data-index="${number}"]`);
  if (box) reveal(box);
}

/** Boxes on and off. */
export function toggleBoxes() {
  const on = $("show-boxes").getAttribute("aria-pressed") !== "true";
  $("show-boxes").setAttribute("aria-pressed", String(on));
  $("boxes").classList.toggle("bare", !on);
}

export function listenToDesk() {
  $("page-before").addEventListener("click", () => turnPages(-1));
  $("page-after").addEventListener("click", () => turnPages(1));
  $("show-boxes").addEventListener("click", toggleBoxes);
}
