// Which lines are shown: by kind, or the unsure ones alone.

import { $, element, icon } from "./dom.js";
import { elementsOf, isUnsure, KINDS, kindOf } from "./regions.js";
import { word } from "./words.js";

const ICONS = { printed: "print", handwritten: "hand", unknown: "unknown", unsure: "unsure" };

let kinds = new Set(KINDS);
let onlyUnsure = false;

export function resetFilters() {
  kinds = new Set(KINDS);
  onlyUnsure = false;
}

/** Offer the kinds that the page has, and hide what is switched off. */
export function applyFilters(page) {
  const count = (name) => page.regions.filter((region) =>
    name === "unsure" ? isUnsure(region) : kindOf(region) === name).length;
  // What was switched on for another page must be seen to be switched off.
  const offered = (name) => count(name) > 0 || (name === "unsure" && onlyUnsure);
  const chips = [...KINDS, "unsure"].filter(offered).map((name) => chip(name, count(name), page));
  $("filters").replaceChildren(...chips);
  const shown = page.regions.map((region) => kinds.has(kindOf(region)) && (!onlyUnsure || isUnsure(region)));
  shown.forEach((isShown, index) => {
    for (const each of elementsOf(index)) each.classList.toggle("off", !isShown);
  });
  $("rows").querySelector(".filtered")?.remove();
  if (shown.length && !shown.includes(true)) {
    $("rows").append(element("li", { class: "note filtered" }, word("filtered")));
  }
}

function chip(name, count, page) {
  const pressed = name === "unsure" ? onlyUnsure : kinds.has(name);
  const button = element("button", { type: "button", class: `chip ${name}`, "aria-pressed": String(pressed) },
    icon(ICONS[name]), word(name), element("b", {}, count));
  button.addEventListener("click", () => {
    if (name === "unsure") onlyUnsure = !onlyUnsure;
    else if (!kinds.delete(name)) kinds.add(name);
    applyFilters(page);
    document.querySelector(`.chip.${name}`)?.focus();
  });
  return button;
}
