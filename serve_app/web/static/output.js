// What leaves the page: text on the clipboard, files in any format, paper.

import { $, element } from "./dom.js";
import { readAs } from "./service.js";
import { toast } from "./toast.js";
import { sentenceOf } from "./trouble.js";
import { word } from "./words.js";

const SUFFIXES = { text: "txt", json: "json", pdf: "pdf", csv: "csv", hocr: "hocr", alto: "xml", png: "png" };

export async function copy(text) {
  toast(await written(text) ? word("copied") : word("copyFailed"));
}

/** Save a reading in a format; what the page does not hold already is written by the service. */
export async function saveAs(reading, format, entry) {
  if (format === "print") {
    window.print();
    return;
  }
  const held = { text: () => `${reading.text}\n`, json: () => JSON.stringify(reading.answer, null, 2) }[format];
  if (held) {
    save(new Blob([held()]), nameOf(reading.files[0]), format);
    return;
  }
  toast(word("preparing"));
  try {
    const one = format === "png";
    const files = one ? [reading.files[entry.file - 1]] : reading.files;
    const parameters = { layout: reading.layout, format, ...(one && { pages: entry.page }) };
    save(await readAs(files, parameters), nameOf(files[0]), format);
  } catch (error) {
    toast(sentenceOf(error));
  }
}

/** Have the text of all pages printed instead of the screen. */
export function listenToPrinting(readingNow) {
  addEventListener("beforeprint", () => {
    const reading = readingNow();
    const pages = (reading?.results ?? []).map((result, index) => element("article", {},
      element("h2", {}, `${result.file_name ?? ""} · ${word("page")} ${index + 1}`),
      element("pre", {}, result.text ?? result.error?.detail ?? "")));
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

function save(blob, name, format) {
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: `${name}.${SUFFIXES[format]}` }).click();
  setTimeout(() => URL.revokeObjectURL(url));
}

const nameOf = (file) => (file.name || "document").replace(/\.[^.]*$/, "");
