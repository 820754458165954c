// Regions of a page, wherever they are shown: what they are, and lighting one in all places at once.

import { percent, word } from "./words.js";

export const KINDS = ["printed", "handwritten", "unknown"];
export const UNSURE_BELOW = 0.7;

const ICONS = { printed: "print", handwritten: "hand", unknown: "unknown" };

export const kindOf = (region) => region.kind ?? "unknown";
export const iconOf = (region) => ICONS[kindOf(region)];
export const isUnsure = (region) => region.text === null || region.confidence < UNSURE_BELOW;
export const classesOf = (region) => `${kindOf(region)}${isUnsure(region) ? " unsure" : ""}`;
/** The language of what stands there in place of a text: errors are told in the service's own words. */
export const languageOf = ({ text, error }) => (!text && error ? "en" : null);
export const wordsOf = (region) => region.text ?? region.error?.detail ?? word("unread");

/** The kind and how sure both are, in a sentence's worth of words. */
export function factsOf(region) {
  const kind = region.kind_confidence === null ? "" : ` ${percent(region.kind_confidence)}`;
  const text = region.confidence === null ? "" : ` · ${word("text")} ${percent(region.confidence)}`;
  return `${word(kindOf(region))}${kind}${text}`;
}

/** Every element that stands for a region of the page that is shown. */
export const elementsOf = (index) =>
  document.querySelectorAll(`#boxes [data-index="${index}"], #rows [data-index="${index}"]`);

export function light(index, on) {
  for (const each of elementsOf(index)) each.classList.toggle("lit", on);
}
