// Documents as files of this browser: whether they can be sent, and which of them it can draw by itself.

import { Refusal } from "./service.js";
import { fill, megabytes, word } from "./words.js";

// Not WebP: browsers show it as it is stored, without the turning that its EXIF asks for.
const SIGNATURES = [
  [0xff, 0xd8, 0xff], // JPEG
  [0x89, 0x50, 0x4e, 0x47], // PNG
  [0x47, 0x49, 0x46, 0x38], // GIF
  [0x42, 0x4d], // BMP
];

const FORM_BYTES = 1024; // More than a form adds to each file.

/** Refuse, before anything is sent, what the service would refuse: it then closes the connection. */
export function checkLimits(files) {
  const { maxFiles, maxBodyBytes, maxJobBytes } = document.body.dataset;
  const empty = files.find((file) => !file.size);
  if (empty) throw new Refusal({ code: "empty_file", values: () => ({ name: nameOf(empty) }) });
  if (files.length > Number(maxFiles)) {
    throw new Refusal({ code: "too_many_files", values: () => ({ most: maxFiles, count: files.length }) });
  }
  const bytes = files.reduce((sum, file) => sum + file.size + FORM_BYTES, 0);
  if (bytes <= Number(maxBodyBytes)) return;
  throw new Refusal({
    code: bytes <= Number(maxJobBytes) ? "only_as_job" : "too_many_bytes",
    values: () => ({ most: megabytes(Number(maxBodyBytes)), size: megabytes(bytes) }),
  });
}

/** For each file an object URL of its picture, null where the browser cannot draw it rightly (PDF, TIFF, WebP). */
export async function picturesOf(files) {
  return Promise.all(files.map(async (file) => {
    const head = new Uint8Array(await file.slice(0, 4).arrayBuffer().catch(() => {
      throw new Refusal({ code: "unreadable_file", values: () => ({ name: nameOf(file) }) });
    }));
    const known = SIGNATURES.some((signature) => signature.every((byte, index) => head[index] === byte));
    return known ? URL.createObjectURL(file) : null;
  }));
}

const nameOf = (file) => file.name || word("unnamed");

/** An object URL of the picture in a data URL: half its size, and freed when it is revoked. */
export function objectUrl(dataUrl) {
  const [head, content] = dataUrl.split(",", 2);
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type: head.slice("data:".length).split(";")[0] }));
}
