// Keys, and the dialog that lists them.

import { $, element } from "./dom.js";
import { word } from "./words.js";

// How each key is written in the list, and the word for what it does.
const KEYS = [
  ["↑ ↓", "keyLines"], ["Enter", "keyCopy"], ["PgUp PgDn", "keyPages"], ["/", "keySearch"],
  ["Enter Shift+Enter", "keyHits"], ["+ − 0", "keyZoom"], ["B", "keyBoxes"], ["T", "keyTabs"],
  ["C", "keyCopyAll"], ["O", "keyOpen"], ["Esc", "keyEscape"], ["?", "keyHelp"],
];

const STORED = "scriptorium.single-keys";

// Who speaks to the computer, or hits keys by chance, is in need of a way to turn these off.
let singleKeys = stored() !== "off";

function stored() {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null; // Storage is forbidden in some private windows.
  }
}

function chooseSingleKeys(on) {
  singleKeys = on;
  try {
    localStorage.setItem(STORED, on ? "on" : "off");
  } catch {
    // The choice then lasts as long as the page.
  }
}

/**
 * `actions` has a function for each shortcut by name. Letters go by their place on the keyboard, so that
 * they work in the Russian layout too.
 */
export function listenToKeys(actions) {
  const byKey = {
    ArrowDown: () => actions.line(1), ArrowUp: () => actions.line(-1),
    PageDown: () => actions.page(1), PageUp: () => actions.page(-1),
    "/": actions.search, "+": actions.zoomIn, "=": actions.zoomIn, "-": actions.zoomOut, 0: actions.zoomFit,
    "?": openHelp, Escape: actions.escape,
  };
  // The Russian layout has its full stop and its comma where others have these two.
  const slash = ({ shiftKey }) => (shiftKey ? openHelp() : actions.search());
  const byCode = { Slash: slash, KeyB: actions.boxes, KeyT: actions.tabs, KeyC: actions.copyAll, KeyO: actions.open };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key.length === 1 && !singleKeys) return;
    const typing = event.target.closest?.("input:not([type=radio]), textarea, select");
    if (typing && event.key !== "Escape") return;
    const moving = ["ArrowDown", "ArrowUp", "PageDown", "PageUp"].includes(event.key);
    // Where these keys scroll or choose by themselves they keep doing so.
    if (moving && movesBy(event.target.closest?.("#view, #text, [role=radiogroup]"))) return;
    const act = byKey[event.key] ?? byCode[event.code];
    if (act && act(event) !== false) event.preventDefault();
  });
  $("help").addEventListener("click", openHelp);
  $("single-keys").addEventListener("change", ({ target }) => chooseSingleKeys(target.checked));
  $("help-close").addEventListener("click", () => $("help-dialog").close());
}

const movesBy = (place) => place && (place.role === "radiogroup" || place.scrollHeight > place.clientHeight);

function openHelp() {
  $("help-keys").replaceChildren(...KEYS.flatMap(([keys, name]) => [
    element("dt", {}, ...keys.split(" ").flatMap((key) => [element("kbd", {}, key), " "])),
    element("dd", {}, word(name)),
  ]));
  $("help-legend").textContent = word("legend");
  $("single-keys").checked = singleKeys;
  $("help-dialog").showModal();
}
