// Read a document with Node:  node examples/read.mjs scan.pdf
//
// SCRIPTORIUM_URL is the address of the service, SCRIPTORIUM_KEY the API key where it asks for one.

import { readFile } from "node:fs/promises";
import { Scriptorium } from "./scriptorium.mjs";

const { SCRIPTORIUM_URL: url = "http://127.0.0.1:8000", SCRIPTORIUM_KEY: key } = process.env;
const document = new Blob([await readFile(process.argv[2])]);

try {
  for await (const page of new Scriptorium(url, { key }).pages(document)) {
    for (const { kind, confidence, text } of page.regions) {
      console.log([page.page, kind, confidence, text].join("\t"));
    }
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
