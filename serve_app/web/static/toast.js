// A short word that passes by itself.

import { $ } from "./dom.js";

const SHOWN_MS = 1800;
let timer = 0;

export function toast(text) {
  $("toast").textContent = text;
  $("toast").classList.add("up");
  clearTimeout(timer);
  timer = setTimeout(() => $("toast").classList.remove("up"), SHOWN_MS);
}

/** Tell screen readers alone. */
export function announce(text) {
  $("live").textContent = text;
}
