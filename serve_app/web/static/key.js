// The API key, where the service asks for one: kept for this tab alone, and forgotten with it.

import { $ } from "./dom.js";

const KEY = "scriptorium.key";

let here = null; // Where storage is forbidden, the key lasts as long as the page.

/** The key that was given before, or null. */
export function knownKey() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return here;
  }
}

/** Ask for a key; `wrong` says that the one sent was not accepted. Answers null when none is given. */
export function askForKey({ wrong }) {
  const dialog = $("key-dialog");
  $("key-wrong").hidden = !wrong;
  $("key").value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const key = dialog.returnValue || null;
      if (key !== null) keep(key);
      resolve(key);
    }, { once: true });
  });
}

function keep(key) {
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
    $("key-dialog").close($("key").value.trim());
  });
  $("key-cancel").addEventListener("click", () => $("key-dialog").close(""));
}
