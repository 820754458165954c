// The picture of a page in its window: fitted, zoomed, moved.

import { $ } from "./dom.js";
import { percent } from "./words.js";

const MOST = 8;
const STEP = 1.25;
const CLOSE_UP = 2.5;
const DRAG_PX = 4;

const view = $("view");
const sheet = $("sheet");

let ratio = 3 / 4;
let zoom = 1;

/** Show a picture, or a blank sheet where there is none; `ratio` is width over height. */
export function showPicture(url, pageRatio) {
  ratio = pageRatio;
  const image = $("image");
  sheet.classList.toggle("blank", !url);
  if (!url) image.removeAttribute("src");
  else if (image.src !== url) image.src = url;
  lay();
}

/** The ratio of a picture, once the browser has it; null where it is none. */
export async function ratioOf(url) {
  const image = new Image();
  image.src = url;
  return image.decode().then(() => image.naturalWidth / image.naturalHeight, () => null);
}

export function fit() {
  zoom = 1;
  lay();
  view.scrollTo(0, 0);
}

/** Zoom by a factor around a point of the window; around its middle without one. */
export function zoomBy(factor, x, y) {
  const frame = view.getBoundingClientRect();
  const [atX, atY] = [x ?? frame.left + frame.width / 2, y ?? frame.top + frame.height / 2];
  const before = sheet.getBoundingClientRect();
  zoom = Math.min(Math.max(zoom * factor, 1), MOST);
  lay();
  const after = sheet.getBoundingClientRect();
  view.scrollBy({
    left: after.left + ((atX - before.left) / before.width) * after.width - atX,
    top: after.top + ((atY - before.top) / before.height) * after.height - atY,
  });
}

/** Bring an element over the picture into the window, if it is not there. */
export function reveal(target) {
  const frame = view.getBoundingClientRect();
  const area = target.getBoundingClientRect();
  const inside = area.top >= frame.top && area.bottom <= frame.bottom
    && area.left >= frame.left && area.right <= frame.right;
  if (inside) return;
  view.scrollBy({
    left: area.left + area.width / 2 - frame.left - frame.width / 2,
    top: area.top + area.height / 2 - frame.top - frame.height / 2,
    behavior: calm() ? "instant" : "smooth",
  });
}

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export function listenToViewer() {
  new ResizeObserver(lay).observe(view);
  $("zoom-in").addEventListener("click", () => zoomBy(STEP));
  $("zoom-out").addEventListener("click", () => zoomBy(1 / STEP));
  $("zoom-fit").addEventListener("click", fit);
  view.addEventListener("wheel", onWheel, { passive: false });
  view.addEventListener("dblclick", onDoubleClick);
  listenToDragging();
  listenToPinching();
}

export const zoomIn = () => zoomBy(STEP);
export const zoomOut = () => zoomBy(1 / STEP);

/** Width of the sheet: the whole page is in view on a wide window, its whole width on a narrow one. */
function lay() {
  const { paddingTop, paddingBottom, paddingLeft, paddingRight } = getComputedStyle(view);
  const width = view.clientWidth - Number.parseFloat(paddingLeft) - Number.parseFloat(paddingRight);
  const height = view.clientHeight - Number.parseFloat(paddingTop) - Number.parseFloat(paddingBottom);
  if (width <= 0 || height <= 0) return;
  const narrow = matchMedia("(max-width: 55.99rem)").matches;
  const fitted = narrow ? width : Math.min(width, height * ratio);
  sheet.style.setProperty("--width", `${Math.round(fitted * zoom)}px`);
  sheet.style.setProperty("--ratio", ratio);
  view.classList.toggle("zoomed", zoom > 1);
  $("zoom").textContent = percent(zoom);
  $("zoom-out").disabled = zoom <= 1;
  $("zoom-in").disabled = zoom >= MOST;
}

function onWheel(event) {
  if (!event.ctrlKey && !event.metaKey) return; // Without a key the wheel scrolls.
  event.preventDefault();
  zoomBy(Math.exp(-event.deltaY / 200), event.clientX, event.clientY);
}

function onDoubleClick(event) {
  if (event.target.closest("#boxes g")) return;
  if (zoom > 1) fit();
  else zoomBy(CLOSE_UP, event.clientX, event.clientY);
}

/** The mouse drags the picture; fingers do so without our help. */
function listenToDragging() {
  let from = null;
  let moved = false;
  view.addEventListener("pointerdown", (event) => {
    moved = false;
    if (event.pointerType !== "mouse" || event.button !== 0) return;
    from = { x: event.clientX, y: event.clientY, left: view.scrollLeft, top: view.scrollTop };
  });
  view.addEventListener("pointermove", (event) => {
    if (!from) return;
    const [byX, byY] = [event.clientX - from.x, event.clientY - from.y];
    if (!moved && Math.hypot(byX, byY) < DRAG_PX) return;
    if (!moved) view.setPointerCapture(event.pointerId);
    moved = true;
    view.classList.add("dragged");
    view.scrollTo({ left: from.left - byX, top: from.top - byY });
  });
  for (const end of ["pointerup", "pointercancel"]) {
    view.addEventListener(end, () => {
      from = null;
      view.classList.remove("dragged");
    });
  }
  // The browser would carry the picture, or what a double click has selected, away.
  view.addEventListener("dragstart", (event) => event.preventDefault());
  // The click that ends a drag is none.
  view.addEventListener("click", (event) => moved && event.stopPropagation(), true);
}

function listenToPinching() {
  let apart = 0;
  const spread = ([one, other]) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
  view.addEventListener("touchstart", ({ touches }) => {
    if (touches.length === 2) apart = spread(touches);
  }, { passive: true });
  view.addEventListener("touchmove", (event) => {
    if (event.touches.length !== 2) return;
    event.preventDefault(); // The browser would zoom the whole page.
    const [one, other] = event.touches;
    const now = spread(event.touches);
    zoomBy(now / apart, (one.clientX + other.clientX) / 2, (one.clientY + other.clientY) / 2);
    apart = now;
  }, { passive: false });
}
