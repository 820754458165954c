// The search field: hits counted, marked and walked through.

import { drawMarks } from "./boxes.js";
import { $ } from "./dom.js";
import { markLines, revealInText, revealLine } from "./lines.js";
import { quadsOf, search, spansIn } from "./search.js";
import { reveal } from "./viewer.js";
import { word } from "./words.js";

let pages = () => [];
let open = () => {};
let hits = [];
let now = -1;
let shown = 0;
let sought = false;

const query = () => $("search").value;

/** `pagesOf()` gives the pages to search, `openPage(index)` shows one of them. */
export function listenToFinder(pagesOf, openPage) {
  [pages, open] = [pagesOf, openPage];
  $("search").addEventListener("input", () => {
    find();
    // The first hit from where the reader is, not from the start of the document.
    now = Math.max(hits.findIndex((hit) => hit.entry >= shown), hits.length ? 0 : -1);
    go();
  });
  $("hit-after").addEventListener("click", () => walk(1));
  $("hit-before").addEventListener("click", () => walk(-1));
  $("search").addEventListener("keydown", (event) => {
    if (event.key === "Enter") walk(event.shiftKey ? -1 : 1);
    if (event.key === "Escape" && query()) {
      event.stopPropagation();
      clearFinder();
    }
  });
}

/** To the next or previous hit, round the end of the document. */
export function walk(by) {
  if (!hits.length) return;
  now = (now + by + hits.length) % hits.length;
  go();
}

export function clearFinder() {
  $("search").value = "";
  find();
  mark();
}

/** Search again: a page has come. */
export function refreshFinder() {
  const before = hits[now];
  find();
  now = before ? hits.findIndex((hit) => hit.entry === before.entry && hit.region === before.region
    && hit.start === before.start) : hits.length ? 0 : -1;
  count();
}

/** Mark the hits of the page that is shown now. */
export function markPage(index) {
  shown = index;
  mark();
  if (sought && hits[now]?.entry === shown) bring();
}

function find() {
  hits = search(pages(), query());
  if (!hits.length) now = -1;
  count();
}

function go() {
  count();
  if (now < 0) {
    mark();
    return;
  }
  // A page that is opened is drawn later, and marked then.
  sought = true;
  if (hits[now].entry === shown) markPage(shown);
  else open(hits[now].entry);
}

/** Into view wherever it is shown: in the list, in the text, and on the picture. */
function bring() {
  sought = false;
  revealLine(hits[now].region);
  revealInText();
  const target = document.querySelector("#marks .now");
  if (target) reveal(target);
}

function mark() {
  const page = pages()[shown]?.result;
  if (!page) return;
  const here = hits.filter((hit) => hit.entry === shown);
  const quads = here.flatMap((hit) => quadsOf(page.regions[hit.region], hit).map((quad) => ({ quad, hit })));
  drawMarks(quads.map(({ quad }) => quad), quads.findIndex(({ hit }) => hit === hits[now]));
  const marks = here.map((hit) => ({ ...hit, now: hit === hits[now] }));
  markLines(page, marks, inText(page, here));
}

/** Hits in the text of the page; the one that is looked at, where the text has as many as the lines. */
function inText(page, here) {
  const spans = spansIn(page.text ?? "", query());
  const at = spans.length === here.length ? here.indexOf(hits[now]) : -1;
  return spans.map((span, index) => ({ ...span, now: index === at }));
}

function count() {
  const sought = query().trim() !== "";
  $("hits").textContent = !sought ? "" : hits.length ? `${now + 1} / ${hits.length}` : word("noHits");
  $("hit-before").disabled = $("hit-after").disabled = !hits.length;
  $("search").classList.toggle("none", sought && !hits.length);
}
