// Saving a reading as a file, in any format.

import { $, element } from "./dom.js";
import { written } from "./jobs.js";
import { reasonOf, sentenceOf } from "./trouble.js";
import { fill, word } from "./words.js";

const SUFFIXES = { text: "txt", json: "json", pdf: "pdf", csv: "csv", hocr: "hocr", alto: "xml", png: "png" };

let attempt = null; // Of the saving that goes on.
let again = null;

/** Save a reading in a format; what the page does not hold already is written by the service. */
export async function saveAs(reading, format, entry) {
  stopSaving();
  if (format === "print") {
    window.print();
    return;
  }
  const held = { text: () => `${reading.text}\n`, json: () => JSON.stringify(reading.answer, null, 2) }[format];
  if (held) {
    save(new Blob([held()]), reading.files[0], format);
    return;
  }
  const mine = (attempt = new AbortController());
  tell(word("preparing"));
  try {
    save(await fetched(reading, format, entry, mine.signal), reading.files[0], format);
  } catch (error) {
    if (error.name !== "AbortError") tellFailure(error, () => saveAs(reading, format, entry));
  } finally {
    if (attempt === mine) $("saving").hidden = true;
  }
}

/** Give up what is being saved: another document comes, or a person had enough of it. */
export function stopSaving() {
  attempt?.abort();
  attempt = null;
  $("saving").hidden = $("unsaved").hidden = true;
}

export function listenToSaving() {
  $("saving-cancel").addEventListener("click", stopSaving);
  $("unsaved-retry").addEventListener("click", () => again());
}

function fetched(reading, format, entry, signal) {
  const one = format === "png";
  const files = one ? [reading.files[entry.file - 1]] : reading.files;
  return written(files, { layout: reading.layout, format, ...(one && { pages: entry.page }) }, {
    byJob: !one && reading.pagesInAll > 1,
    signal,
    onPages: (done, pages) => tell(fill("savingPages", { done, pages })),
    onWait: (refusal, seconds) => tell(`${sentenceOf(refusal)}. ${fill("retryIn", { seconds })}`),
  });
}

function tell(text) {
  $("saving").hidden = false;
  $("saving-text").textContent = text;
}

function tellFailure(error, retry) {
  again = retry;
  $("unsaved-text").textContent = fill("notSaved", { reason: reasonOf(error) });
  $("unsaved").hidden = false;
}

function save(content, file, format) {
  // Excel takes a CSV file for one in the system's own encoding, unless it begins with this mark.
  const blob = format === "csv" ? new Blob(["\ufeff", content], { type: content.type }) : content;
  const name = (file.name || "document").replace(/\.[^.]*$/, "");
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: `${name}.${SUFFIXES[format]}` }).click();
  setTimeout(() => URL.revokeObjectURL(url));
}
