// The pages of the documents: a strip of small pictures, and a pager beside the zoom.

import { $, element } from "./dom.js";
import { word } from "./words.js";

/** Show the pages of a reading, with the one at `index` chosen; `open(index)` is called for another. */
export function showStrip(reading, index, open) {
  const total = Math.max(reading.pageCount, reading.pages.length);
  $("strip").hidden = $("pager").hidden = total < 2;
  $("page-number").textContent = `${index + 1} / ${total}`;
  $("page-before").disabled = index <= 0;
  $("page-after").disabled = index >= reading.pages.length - 1;
  if (total < 2) return;
  const buttons = reading.pages.map((entry, number) => page(reading, entry, number, number === index));
  buttons.forEach((button, number) => button.addEventListener("click", () => open(number)));
  $("strip").replaceChildren(...buttons);
  const [current, frame] = [buttons[index], $("strip")];
  if (!current) return;
  const hidden = current.offsetTop < frame.scrollTop
    || current.offsetTop + current.offsetHeight > frame.scrollTop + frame.clientHeight;
  if (hidden) frame.scrollTo({ top: current.offsetTop - frame.clientHeight / 2, behavior: "instant" });
}

function page(reading, entry, number, current) {
  const name = reading.files.length > 1 ? reading.files[entry.file - 1]?.name : "";
  const label = `${word("page")} ${number + 1}${name ? `, ${name}` : ""}`;
  const state = entry.result === null ? "coming" : entry.result.error ? "failed" : "read";
  const button = element("button", {
    type: "button", class: state, "aria-label": label, "aria-current": String(current), title: name || null,
  });
  if (entry.picture) button.append(element("img", { src: entry.picture, alt: "", loading: "lazy" }));
  else button.append(element("i", {}));
  button.append(element("span", {}, number + 1));
  return button;
}
