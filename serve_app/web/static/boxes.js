// Boxes over the picture: print in a plain frame, handwriting above a wavy line, dashed where it is unsure.

import { $, drawn, element } from "./dom.js";
import { classesOf, factsOf, isUnsure, kindOf, languageOf, light, wordsOf } from "./regions.js";

const WAVE_LENGTH = 0.45; // Shares of the line's height,
const WAVE_HEIGHT = 0.08;
const WAVES_AS_OF = 0.06; // or of this share of the page, where a line is higher: one word may fill a picture.
const TOUCH_TIP_MS = 2500;

const boxes = $("boxes");
const tip = $("tip");
let tipTimer = 0;

/** Draw the boxes of a page. `blank` writes the text into them, for there is no picture below. */
export function drawBoxes(page, { blank, onChoose, onPoint }) {
  hideTip();
  boxes.setAttribute("viewBox", `0 0 ${page.width} ${page.height}`);
  boxes.replaceChildren(
    drawn("g", { id: "marks" }),
    ...page.regions.map((region, index) => box(region, index, { page, blank, onChoose, onPoint })),
  );
}

export function clearBoxes() {
  hideTip();
  boxes.replaceChildren();
}

/** Mark quads, as a highlighter does; `now` is the index of the one that is looked at. */
export function drawMarks(quads, now) {
  $("marks")?.replaceChildren(...quads.map((quad, index) => drawn("polygon", {
    points: quad.map((point) => point.join(",")).join(" "), class: index === now ? "now" : null,
  })));
}

export function hideTip() {
  clearTimeout(tipTimer);
  tip.hidden = true;
}

function box(region, index, { page, blank, onChoose, onPoint }) {
  const frame = drawn("path", { d: outline(region, WAVES_AS_OF * Math.max(page.width, page.height)) });
  const group = drawn("g", { class: classesOf(region), "data-index": index }, frame);
  if (blank && region.text) group.append(writing(region));
  group.addEventListener("pointerenter", (event) => {
    light(index, true);
    if (event.pointerType !== "mouse") return;
    showTip(region, group);
    onPoint(index);
  });
  group.addEventListener("pointerleave", (event) => {
    light(index, false);
    if (event.pointerType === "mouse") hideTip();
  });
  group.addEventListener("click", (event) => {
    onChoose(region, index);
    if (event.pointerType === "mouse") return;
    showTip(region, group);
    tipTimer = setTimeout(hideTip, TOUCH_TIP_MS);
  });
  return group;
}

/**
 * The frame of a region. Below handwriting it is a wave, so that colour is not all; the wave hangs under
 * the lower edge, for the frame is tight and the writing must stay legible. Waves are as of a line of
 * `highest` pixels at most.
 */
function outline(region, highest) {
  const [topLeft, topRight, right, left] = region.polygon;
  const top = `L${topLeft} L${topRight}`;
  const length = Math.hypot(left[0] - right[0], left[1] - right[1]);
  const height = Math.hypot(left[0] - topLeft[0], left[1] - topLeft[1]);
  if (kindOf(region) !== "handwritten" || !length || !height) return `M${left} ${top} L${right}Z`;
  const size = Math.min(height, highest);
  const down = [0, 1].map((axis) => ((left[axis] - topLeft[axis]) / height) * size * WAVE_HEIGHT);
  const lowered = ([x, y]) => [x + down[0], y + down[1]];
  const count = Math.max(Math.round(length / (size * WAVE_LENGTH)), 2);
  const along = [0, 1].map((axis) => (left[axis] - right[axis]) / count);
  let waves = "";
  for (let wave = 0; wave < count; wave += 1) {
    const side = wave % 2 ? -2 : 2; // A curve reaches half as far as the point that bends it.
    waves += ` q${along[0] / 2 + down[0] * side},${along[1] / 2 + down[1] * side} ${along}`;
  }
  return `M${lowered(left)} ${top} L${lowered(right)}${waves}Z`;
}

/** The text of a region, set along its lower edge and fitted to it. */
function writing({ polygon: [, , right, left], bbox, text }) {
  const length = Math.hypot(right[0] - left[0], right[1] - left[1]);
  const angle = Math.atan2(right[1] - left[1], right[0] - left[0]) * (180 / Math.PI);
  const size = Math.max(Math.min(bbox.height * 0.72, (length / text.length) * 2.2), 1);
  const letters = drawn("text", {
    x: left[0], y: left[1] - size * 0.25, "font-size": size, textLength: length,
    lengthAdjust: "spacingAndGlyphs", transform: `rotate(${angle} ${left.join(" ")})`,
  });
  letters.textContent = text;
  return letters;
}

function showTip(region, group) {
  clearTimeout(tipTimer);
  const kind = `${kindOf(region)}${isUnsure(region) ? " unsure" : ""}`;
  tip.replaceChildren(element("strong", { lang: languageOf(region) }, wordsOf(region)), element("span", { class: kind }, factsOf(region)));
  tip.hidden = false;
  const area = group.getBoundingClientRect();
  const left = area.left + (area.width - tip.offsetWidth) / 2;
  tip.style.left = `${Math.min(Math.max(left, 4), Math.max(innerWidth - tip.offsetWidth - 4, 4))}px`;
  const above = area.top - tip.offsetHeight - 8;
  tip.style.top = `${above > 4 ? above : Math.min(area.bottom + 8, innerHeight - tip.offsetHeight - 4)}px`;
}
