// Saving a reading as a file, in any format.

import { $, element } from "./dom.js";
import { written } from "./jobs.js";
import { reasonOf, sentenceOf } from "./trouble.js";
import { fill, word } from "./words.js";

const SUFFIXES = { text: "txt", json: "json", pdf: "pdf", csv: "csv", hocr: "hocr", alto: "xml", png: "png" };

// Safari asks before it downloads, and fetches the file only then.
const SAVED_WITHIN_MS = 60_000;

let attempt = null; // Of the saving that goes on.
let again = null;
const told = {}; // What each place says, as functions: the language may change meanwhile.

/** Save a reading in a format; what the page does not hold already is written by the service. */
export async function saveAs(reading, format, entry) {
  stopSaving();
  if (format === "print") {
    window.print();
    return;
  }
  const name = nameFor(reading, format, entry);
  const held = { text: () => reading.textFile, json: () => JSON.stringify(reading.answer, null, 2) }[format];
  if (held) {
    save(new Blob([held()]), name);
    return;
  }
  const mine = (attempt = new AbortController());
  tell("saving", () => word("preparing"));
  try {
    save(await fetched(reading, format, entry, mine.signal), name);
  } catch (error) {
    if (error.name !== "AbortError") tellFailure(error, () => saveAs(reading, format, entry));
  } finally {
    if (attempt === mine) $("saving").hidden = true;
  }
}

/** Say again what goes on, in the language that was chosen meanwhile. */
export function retellSaving() {
  for (const [place, words] of Object.entries(told)) $(`${place}-text`).textContent = words();
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
    onPages: (done, pages) => tell("saving", () => fill("savingPages", { done, pages })),
    onWait: (refusal, seconds) => tell("saving", () => `${sentenceOf(refusal)}. ${fill("retryIn", { seconds })}`),
  });
}

function tell(place, words) {
  told[place] = words;
  $(place).hidden = false;
  $(`${place}-text`).textContent = words();
}

function tellFailure(error, retry) {
  again = retry;
  tell("unsaved", () => fill("notSaved", { reason: reasonOf(error) }));
}

/** After the first file, for the first stands for all; a picture after its own, with its page where there are more. */
function nameFor(reading, format, entry) {
  const one = format === "png";
  const file = reading.files[one ? entry.file - 1 : 0];
  const stem = (file.name || "document").replace(/\.[^.]*$/, "");
  const several = reading.pages.filter((each) => each.file === entry.file).length > 1;
  return `${stem}${one && several ? `-${entry.page}` : ""}.${SUFFIXES[format]}`;
}

function save(content, name) {
  // Excel takes a CSV file for one in the system's own encoding, unless it begins with this mark.
  const blob = name.endsWith(".csv") ? new Blob(["\ufeff", content], { type: content.type }) : content;
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), SAVED_WITHIN_MS);
}
