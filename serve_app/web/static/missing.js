// What is missing from a reading, told above it: the pages that could not be read, and that it broke off.

import { $ } from "./dom.js";
import { sentenceOf } from "./trouble.js";
import { fill } from "./words.js";

let reading = null;
let breach = null;

/**
 * Tell what a reading lacks, nothing where there is none. `how` says how it broke off: the name of a
 * sentence, and the error behind it or null.
 */
export function tellMissing(next, how = null) {
  [reading, breach] = [next, how];
  retellMissing();
}

/** Say it again, in the language that was chosen meanwhile. */
export function retellMissing() {
  const text = [breach && brokenOff(), unread(reading)].filter((part) => part).join(" ");
  $("broken-text").textContent = text;
  $("broken").hidden = !text;
}

/** The sentence on the pages that could not be read, empty where all were. */
export function unread(of) {
  return of?.failed.length ? fill("pagesNotRead", { pages: ranges(of.failed) }) : "";
}

function brokenOff() {
  return fill(breach.name, {
    pages: reading.pageCount - reading.failed.length,
    all: reading.pagesInAll,
    reason: breach.error ? sentenceOf(breach.error) : "",
  });
}

/** Rising numbers with runs drawn together: 1–3, 7. */
function ranges(numbers) {
  const starts = numbers.filter((number, index) => number !== numbers[index - 1] + 1);
  const ends = numbers.filter((number, index) => number !== numbers[index + 1] - 1);
  return starts.map((start, index) => (start === ends[index] ? start : `${start}–${ends[index]}`)).join(", ");
}
