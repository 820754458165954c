// The pages of the documents: a strip of small pictures, and a pager beside the zoom.

import { $, element } from "./dom.js";
import { word } from "./words.js";

const strip = $("strip");
const buttons = new Map(); // By page, so that a long document is not drawn anew with each of its pages.

/** Show the pages of a reading, with the one at `index` chosen; `open(index)` is called for another. */
export function showStrip(reading, index, open) {
  const total = Math.max(reading.pageCount, reading.pages.length);
  strip.hidden = $("pager").hidden = total < 2;
  $("page-number").textContent = `${index + 1} / ${total}`;
  $("page-before").disabled = index <= 0;
  $("page-after").disabled = index >= reading.pages.length - 1;
  removeAllBut(new Set(total < 2 ? [] : reading.pages));
  if (total < 2) return;
  reading.pages.forEach((entry, number) => {
    if (!buttons.has(entry)) add(entry, () => open(reading.pages.indexOf(entry)));
    update(buttons.get(entry), { reading, entry, number, current: number === index });
  });
  const current = buttons.get(reading.pages[index]);
  if (!current) return;
  const hidden = current.offsetTop < strip.scrollTop
    || current.offsetTop + current.offsetHeight > strip.scrollTop + strip.clientHeight;
  if (hidden) strip.scrollTo({ top: current.offsetTop - strip.clientHeight / 2, behavior: "instant" });
}

function removeAllBut(pages) {
  for (const [entry, button] of buttons) {
    if (pages.has(entry)) continue;
    button.remove();
    buttons.delete(entry);
  }
}

function add(entry, onClick) {
  const button = element("button", { type: "button" }, element("i", {}), element("span", {}));
  button.addEventListener("click", onClick);
  buttons.set(entry, button);
  strip.append(button);
}

function update(button, { reading, entry, number, current }) {
  const name = reading.files.length > 1 ? reading.files[entry.file - 1]?.name : "";
  button.className = entry.result === null ? "coming" : entry.result.error ? "failed" : "read";
  button.ariaLabel = `${word("page")} ${number + 1}${name ? `, ${name}` : ""}`;
  button.ariaCurrent = String(current);
  button.title = name ?? "";
  button.lastChild.textContent = number + 1;
  if (entry.picture && button.firstChild.localName === "i") {
    button.firstChild.replaceWith(element("img", { src: entry.picture, alt: "", loading: "lazy" }));
  }
}
