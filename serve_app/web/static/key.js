// The API key, where the service asks for one: kept for this tab alone, and forgotten with it.

import { $ } from "./dom.js";
import { word } from "./words.js";

const KEY = "scriptorium.key";
// What a header can carry: with letters of a Cyrillic layout no request would even leave the browser.
const SENDABLE = /^[\x21-\x7e]+$/;

let here = null; // Where storage is forbidden, the key lasts as long as the page.

/** The key that was given before and worked, or null. */
export function knownKey() {
  const key = stored();
  return SENDABLE.test(key ?? "") ? key : null;
}

function stored() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return here;
  }
}

/** Ask for a key; `wrong` says that the one sent was not accepted. Answers null when none is given. */
export function askForKey({ wrong }) {
  const dialog = $("key-dialog");
  tellWrong(wrong ? "keyWrong" : null);
  $("key").value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue || null), { once: true });
  });
}

function tellWrong(name) {
  $("key-wrong").hidden = name === null;
  if (name) $("key-wrong").textContent = word(name);
}

/** Keep a key that the service took. */
export function keepKey(key) {
  here = key;
  try {
    sessionStorage.setItem(KEY, key);
  } catch {
    // `here` has it.
  }
}

export function listenForKey() {
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const key = $("key").value.trim();
    if (SENDABLE.test(key)) $("key-dialog").close(key);
    else {
      tellWrong("keyLetters");
      $("key").select();
    }
  });
  $("key-cancel").addEventListener("click", () => $("key-dialog").close(""));
}
