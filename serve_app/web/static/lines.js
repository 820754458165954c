// The lines of a page as a list, and its text.

import { $, element, icon } from "./dom.js";
import { classesOf, iconOf, isUnsure, kindOf, languageOf, light, wordsOf } from "./regions.js";
import { percent, word } from "./words.js";

const rows = $("rows");
const list = $("lines");

/** List the lines of a page; `onChoose` and `onPoint` get the region's index. */
export function listLines(page, { onChoose, onPoint }) {
  const items = page.regions.map((region, index) => row(region, index, { onChoose, onPoint }));
  const instead = () => element("span", { lang: languageOf(page) }, page.error?.detail ?? word("nothing"));
  if (!items.length) items.push(element("li", { class: "note" }, instead()));
  rows.replaceChildren(...items);
  $("text").replaceChildren(...(page.text ? spaced(page.text) : [instead()]));
}

/** Lines that are still to come. */
export function listNothing() {
  rows.replaceChildren(...[70, 45, 82, 60, 38, 76].map((width) => {
    const item = element("li", { class: "coming", "aria-hidden": "true" });
    item.style.setProperty("--share", `${width}%`);
    return item;
  }));
  $("text").replaceChildren();
}

/** Move the focus among the lines that are shown. */
export function step(by) {
  const buttons = [...rows.querySelectorAll("li:not(.off) > button")];
  const at = buttons.indexOf(document.activeElement);
  buttons[Math.min(Math.max(at < 0 && by < 0 ? buttons.length - 1 : at + by, 0), buttons.length - 1)]?.focus();
}

/** Bring a line of the list into its window without moving anything else. */
export function revealLine(index) {
  bring(list, rows.querySelector(`[data-index="${index}"]`));
}

/** Bring the hit of the text's tab into its window likewise. */
export function revealInText() {
  bring($("text"), $("text").querySelector("mark.now"));
}

function bring(scroller, item) {
  if (!item) return;
  const [frame, area] = [scroller.getBoundingClientRect(), item.getBoundingClientRect()];
  if (area.top >= frame.top && area.bottom <= frame.bottom) return;
  scroller.scrollBy({ top: area.top + area.height / 2 - frame.top - frame.height / 2 });
}

/** Mark parts of lines: `marks` has `{region, start, end, now}`; those of the text tab are found again. */
export function markLines(page, marks, textMarks) {
  rows.querySelectorAll("li[data-index]").forEach((item, index) => {
    const own = marks.filter((mark) => mark.region === index);
    item.querySelector(".words").replaceChildren(...marked(wordsOf(page.regions[index]), own));
  });
  if (page.text) $("text").replaceChildren(...marked(page.text, textMarks));
}

function marked(text, marks) {
  const parts = [];
  let at = 0;
  for (const { start, end, now } of marks) {
    parts.push(...spaced(text.slice(at, start)), element("mark", { class: now ? "now" : null }, text.slice(start, end)));
    at = end;
  }
  return [...parts, ...spaced(text.slice(at))];
}

/** Cells of a row with a gap between them that is always seen; copied, it is the tab that it was. */
function spaced(text) {
  return text.split(/(\t)/).map((part) => (part === "\t" ? element("span", { class: "tab" }, part) : part));
}

function row(region, index, { onChoose, onPoint }) {
  const share = region.text === null ? "—" : percent(region.confidence);
  const kind = word(kindOf(region)) + (isUnsure(region) ? `, ${word("unsure")}` : "");
  const button = element("button", { type: "button", title: word("clickToCopy") },
    icon(iconOf(region)),
    element("span", { class: "words", lang: languageOf(region) }, wordsOf(region)),
    element("span", { class: "unseen" }, kind),
    isUnsure(region) ? icon("unsure") : null,
    element("span", { class: "share" }, share));
  for (const [event, on] of [["pointerenter", true], ["pointerleave", false], ["focus", true], ["blur", false]]) {
    button.addEventListener(event, () => light(index, on));
  }
  button.addEventListener("focus", () => onPoint(index));
  button.addEventListener("click", () => onChoose(region, index));
  return element("li", { class: classesOf(region), "data-index": index }, button);
}
