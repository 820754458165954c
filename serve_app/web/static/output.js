// What leaves the page: text on the clipboard, and paper; files are in saving.js.

import { $, element } from "./dom.js";
import { languageOf } from "./regions.js";
import { toast } from "./toast.js";
import { word } from "./words.js";

export async function copy(text) {
  toast(await written(text) ? word("copied") : word("copyFailed"));
}

/** Have the text of all pages printed instead of the screen. */
export function listenToPrinting(readingNow) {
  addEventListener("beforeprint", () => {
    const reading = readingNow();
    const pages = (reading?.results ?? []).map((result, index) => element("article", {},
      element("h2", {}, `${result.file_name ?? ""} · ${word("page")} ${index + 1}`),
      element("pre", { lang: languageOf(result) }, result.text ?? result.error?.detail ?? "")));
    $("paper").replaceChildren(...pages);
  });
  addEventListener("afterprint", () => $("paper").replaceChildren());
}

/** Put text on the clipboard; over plain HTTP browsers leave only the older way. */
async function written(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = element("textarea", { class: "unseen", "aria-hidden": "true" });
    const focused = document.activeElement;
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    focused?.focus();
    return done;
  }
}
