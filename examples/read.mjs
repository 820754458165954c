// Read a document with Node:  node examples/read.mjs scan.pdf
//
// The exit code is 1 unless every page and every line was read. SCRIPTORIUM_URL is the address of the
// service, SCRIPTORIUM_KEY the API key where it asks for one.

import { readFile } from "node:fs/promises";
import { Scriptorium } from "./scriptorium.mjs";

const { SCRIPTORIUM_URL: url = "http://127.0.0.1:8000", SCRIPTORIUM_KEY: key } = process.env;
const path = process.argv[2];

try {
  if (!path) throw new Error("usage: node examples/read.mjs DOCUMENT");
  const document = new Blob([await readFile(path)]);
  for await (const page of new Scriptorium(url, { key }).pages(document)) {
    for (const part of [page, ...page.regions]) {
      if (part.error) {
        console.error(`page ${page.page}: ${part.error.detail}`);
        process.exitCode = 1;
      } else if (part !== page) {
        console.log([page.page, part.kind, part.confidence, part.text].join("\t"));
      }
    }
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
