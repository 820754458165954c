// Documents as files of this browser: which of them it can draw by itself.

const SIGNATURES = [
  [0xff, 0xd8, 0xff], // JPEG
  [0x89, 0x50, 0x4e, 0x47], // PNG
  [0x47, 0x49, 0x46, 0x38], // GIF
  [0x42, 0x4d], // BMP
  [0x52, 0x49, 0x46, 0x46], // WebP, in RIFF
];

/** For each file an object URL of its picture, null where the browser cannot draw it (PDF, TIFF). */
export async function picturesOf(files) {
  return Promise.all(files.map(async (file) => {
    const head = new Uint8Array(await file.slice(0, 4).arrayBuffer());
    const known = SIGNATURES.some((signature) => signature.every((byte, index) => head[index] === byte));
    return known ? URL.createObjectURL(file) : null;
  }));
}

/** An object URL of the picture in a data URL: half its size, and freed when it is revoked. */
export function objectUrl(dataUrl) {
  const [head, content] = dataUrl.split(",", 2);
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type: head.slice("data:".length).split(";")[0] }));
}
