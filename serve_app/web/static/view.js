// A read page: boxes over the image, lines beside it, one highlighted at a time.

import { percent, word } from "./words.js";

export const UNSURE_BELOW = 0.7;

const SVG = "http://www.w3.org/2000/svg";
const $ = (id) => document.getElementById(id);

const boxes = $("boxes");
const lines = $("lines");
const tip = $("tip");

export const kindOf = (region) => region.kind ?? "unknown";
export const isUnsure = (region) => region.text === null || region.confidence < UNSURE_BELOW;

/** Show a page's regions; `copy(text)` is called when one is chosen. `blank` draws the text itself. */
export function showPage(page, { blank, copy }) {
  hideTip();
  boxes.setAttribute("viewBox", `0 0 ${page.width} ${page.height}`);
  $("sheet").style.setProperty("--ratio", page.width / page.height);
  $("sheet").classList.toggle("blank", blank);
  boxes.replaceChildren(...page.regions.map((region, index) => box(region, index, { blank, copy })));
  const rows = page.regions.map((region, index) => row(region, index, copy));
  if (!rows.length) rows.push(note(page.error?.detail ?? word("nothing")));
  lines.replaceChildren(...rows);
  $("text").textContent = page.text ?? "";
}

/** Hide regions of kinds that are switched off; with `onlyUnsure`, all that are sure. */
export function filter(page, kinds, onlyUnsure) {
  page.regions.forEach((region, index) => {
    const shown = kinds.has(kindOf(region)) && (!onlyUnsure || isUnsure(region));
    for (const element of ofIndex(index)) element.classList.toggle("off", !shown);
  });
}

export function hideTip() {
  tip.hidden = true;
}

/** Move the focus among the lines that are shown. */
export function step(by) {
  const buttons = [...lines.querySelectorAll("li:not(.off) > button")];
  const at = buttons.indexOf(document.activeElement);
  buttons[Math.min(Math.max(at < 0 && by < 0 ? buttons.length - 1 : at + by, 0), buttons.length - 1)]?.focus();
}

function box(region, index, { blank, copy }) {
  const group = svg("g", { class: classes(region), "data-index": index });
  const points = region.polygon.map((point) => point.join(",")).join(" ");
  group.append(svg("polygon", { points }));
  if (blank && region.text) group.append(writing(region));
  group.addEventListener("pointerenter", (event) => {
    light(index, true);
    if (event.pointerType === "mouse") showTip(region, group);
  });
  group.addEventListener("pointerleave", () => {
    light(index, false);
    hideTip();
  });
  group.addEventListener("click", () => {
    reveal(index);
    if (region.text) copy(region.text);
  });
  return group;
}

/** The text of a region, set along its lower edge and fitted to it. */
function writing({ polygon: [, , right, left], bbox, text }) {
  const length = Math.hypot(right[0] - left[0], right[1] - left[1]);
  const angle = Math.atan2(right[1] - left[1], right[0] - left[0]) * (180 / Math.PI);
  const size = Math.max(Math.min(bbox.height * 0.72, (length / text.length) * 2.2), 1);
  const element = svg("text", {
    x: left[0], y: left[1] - size * 0.25, "font-size": size, textLength: length,
    lengthAdjust: "spacingAndGlyphs", transform: `rotate(${angle} ${left.join(" ")})`,
  });
  element.textContent = text;
  return element;
}

function row(region, index, copy) {
  const item = document.createElement("li");
  item.className = classes(region);
  item.dataset.index = index;
  const button = document.createElement("button");
  button.type = "button";
  button.title = word("clickToCopy");
  const text = document.createElement("span");
  text.className = "words";
  text.textContent = region.text ?? region.error?.detail ?? word("unread");
  const share = document.createElement("span");
  share.className = "share";
  share.textContent = region.text === null ? "—" : percent(region.confidence);
  const kind = document.createElement("span");
  kind.className = "unseen";
  kind.textContent = word(kindOf(region)) + (isUnsure(region) ? `, ${word("unsure")}` : "");
  button.append(text, kind, share);
  button.addEventListener("pointerenter", () => light(index, true));
  button.addEventListener("pointerleave", () => light(index, false));
  button.addEventListener("focus", () => light(index, true));
  button.addEventListener("blur", () => light(index, false));
  button.addEventListener("click", () => region.text && copy(region.text));
  item.append(button);
  return item;
}

function note(text) {
  const item = document.createElement("li");
  item.className = "note";
  item.textContent = text;
  return item;
}

function showTip(region, group) {
  const text = document.createElement("strong");
  text.textContent = region.text ?? word("unread");
  const facts = document.createElement("span");
  facts.className = kindOf(region);
  const kindShare = region.kind_confidence === null ? "" : ` ${percent(region.kind_confidence)}`;
  const textShare = region.confidence === null ? "" : ` · ${word("text")} ${percent(region.confidence)}`;
  facts.textContent = `${word(kindOf(region))}${kindShare}${textShare}`;
  tip.replaceChildren(text, facts);
  tip.hidden = false;
  const frame = tip.parentElement.getBoundingClientRect();
  const area = group.getBoundingClientRect();
  const left = area.left - frame.left + (area.width - tip.offsetWidth) / 2;
  tip.style.left = `${Math.min(Math.max(left, 4), Math.max(frame.width - tip.offsetWidth - 4, 4))}px`;
  const above = area.top - frame.top - tip.offsetHeight - 8;
  tip.style.top = `${above > 4 ? above : area.bottom - frame.top + 8}px`;
}

function light(index, on) {
  for (const element of ofIndex(index)) element.classList.toggle("lit", on);
}

/** Bring a line of the list into view without moving the page itself. */
function reveal(index) {
  const item = lines.querySelector(`[data-index="${index}"]`);
  if (lines.scrollHeight > lines.clientHeight) {
    lines.scrollTo({ top: item.offsetTop - lines.offsetTop - lines.clientHeight / 2, behavior: "smooth" });
  }
}

const ofIndex = (index) => document.querySelectorAll(`#boxes [data-index="${index}"], #lines [data-index="${index}"]`);
const classes = (region) => `${kindOf(region)}${isUnsure(region) ? " unsure" : ""}`;

function svg(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
