"""Write docs/formats.md: ``python -m tests.format_docs``.

Its samples are what the writers make of ``tests/data/letter.json``, the service's answer (with
``words=true``) to the end of a letter of 1905 whose signature it misreads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from deployments.types import Kind
from serve_app.negotiation import MEDIA_TYPES
from serve_app.render.formats import Reading, write
from serve_app.results import DocumentResult, PageOrigin, PageResult, Region
from serve_app.schemas import OutputFormat

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "formats.md"
ANSWER = ROOT / "tests" / "data" / "letter.json"

_HEAD = """\
# Documents in, formats out

Samples on this page are made from a real reading by `python -m tests.format_docs`; a test compares them.

## What can be sent

| how | what |
|---|---|
| `POST /ocr`, raw body | one file |
| `POST /ocr`, multipart | one file or several (`limits.max_files`), in fields named `image` or `file` |
| `POST /api/`, JSON | `{"image": "data:application/pdf;base64,..."}` |
| `POST /jobs` | as `POST /ocr`; the document is read in the background ([jobs](jobs.md)) |

PDF, JPEG, PNG, TIFF (all pages), WebP, BMP and GIF (first frame), detected from their content. Pages of
several files follow each other: each page of the answer has `file` (from 1), `file_name`, and its number
`page` in that file. EXIF orientation is applied, and a TIFF whose pixels lie finer one way than
the other, as those of faxes do, is enlarged until they are square. Parameters (`pages`, `dpi`,
`text_layer`, `layout`, `engine`, `min_confidence`, `kind`, `words`): `/docs` of a running service, or
openapi.json.

Pages are decoded one at a time while others are read. PDF pages are drawn by pdfium, one at a time in each
ingress replica, forms and annotations included. `text_layer=prefer` takes a page's own text, line by line,
where it has 16 letters or more; it is given as printed, with confidence 1 and `engine` `text-layer`.

| limit | error |
|---|---|
| `max_body_bytes`, counted while the body arrives | 413 `payload_too_large` |
| `max_pixels`, `max_side_px` of a page, before its pixels are decoded; decompression bombs | 413 |
| `max_document_pixels`, of all pages of a request, before any page is decoded | 413 |
| `max_pages`, before any page is decoded | 413 |
| `max_render_s`, drawing one PDF page; looked at between pdfium's steps, and one can be long | 413 |
| `min_side_px`; damaged files; PDFs without pages or behind a password | 422 `unreadable_document` |
| no page of `pages` in a file; an engine not in use; several pages for `png` | 422 `invalid_parameter` |
| `max_files` | 413 |
| fields of other names, no file, part headers over 4 KiB or over 8 | 400 `malformed_request` |
| any other format | 415 `unsupported_format` |
| no media type in Accept that can be written | 406 `not_acceptable` |

Values and defaults: [configuration.md](configuration.md).

## What is answered

By the parameter `format`, else by the Accept header, else JSON.

| `format` | media types |
|---|---|
"""

_TEXTS = {
    OutputFormat.JSON: "The contract, openapi.json. Coordinates are pixels of the page, origin top left. "
    "\nWith `words=true` each region also lists its words. Here without the second region.",
    OutputFormat.TEXT: "Reading order; pages are parted by form feeds.",
    OutputFormat.HOCR: "hOCR 1.2. Words stand where the recogniser saw their characters; `x_kind` is ours.",
    OutputFormat.ALTO: "ALTO 4.4, in pixels, all pages in one file. A tag gives each line's kind.",
    OutputFormat.CSV: "UTF-8, a row a region. Texts stand as they were read: guard against formulas before "
    "opening strangers' documents in a spreadsheet. Excel takes a file that is simply opened for one in the "
    "system's own encoding: choose Data → From Text/CSV, with UTF-8 (65001) and comma. What the page at `/` "
    "saves begins with a byte order mark, by which Excel knows; what the API answers does not.",
}

_TAIL = """\
## `pdf`

Each page is its picture, a JPEG as it was sent where the file is one, over the same text invisible, word by
word: it can be searched, selected and copied. Pages have the size that their resolution gives (A4 length
where none is stated), and are shown upright. Text on lines up to 3 degrees askew is set level, so that
readers gather
whole lines; it then lies up to half a line's slope off the picture. Drawings of a PDF become pictures at
`dpi`; its own text and links are not kept.

## `png`

One page (`pages=N` chooses it) with its regions drawn and numbered in reading order: print in blue,
handwriting in orange, grey where the kind is unknown.

## `ndjson`

JSON lines, each an object with one member: `start`, then a `page` (as in `json`) as soon as it and those
before it are read, then `end`. What fails before the second line is answered with its own status; what fails
later is a last line `problem`.

**The answer is complete only if its last line is `end`.** If it ends any other way, with `problem` or in the
middle because the connection or the service was lost, read the document again. Pages that failed carry
`error`; the status stays 200 even if all of them failed.

Two parameters add lines, for programs that show people what is going on:
`progress=true` a `step` for each stage that a page enters, `pictures=1600` each page's `picture`, a JPEG of
at most so many pixels on its longer side, as soon as the page is decoded.

```text
{"start":{"request_id":"…","page_count":12,"engines":{"detection":"yolo","classification":"clip","recognition.printed":"crnn"}}}
{"picture":{"file":1,"page":1,"image":"data:image/jpeg;base64,/9j/4AAQSkZJRg…"}}
{"step":{"file":1,"page":1,"stage":"detection"}}
{"page":{"page":1,"file":1,"width":840,"height":230,"regions":[…],"text":"…","error":null}}
{"end":{"page_count":12,"timings_ms":{"decode":251.4,"detection":1302.8,"total":3924.0}}}
```
"""


def document() -> tuple[DocumentResult, dict[str, Any]]:
    """The reading that the samples show, and the answer it was taken from."""
    answer = json.loads(ANSWER.read_text(encoding="utf-8"))
    (page,) = answer["pages"]
    origin = PageOrigin(page["page"], page["file"], page["file_name"], page["dpi"])
    regions = tuple(_region(region) for region in page["regions"])
    result = PageResult(0, page["width"], page["height"], page["skew_deg"], regions=regions, origin=origin)
    return DocumentResult((result,), answer["timings_ms"], answer["engines"]), answer


def _region(view: dict[str, Any]) -> Region:
    words, box = view["words"], view["bbox"]
    spans, confidences = [], []
    for index, word in enumerate(words):
        left = (word["bbox"]["x"] - box["x"]) / box["width"]
        step = word["bbox"]["width"] / box["width"] / len(word["text"])
        if index:
            spans.append((spans[-1][1], left))
            confidences.append(1.0)
        spans += [(left + i * step, left + (i + 1) * step) for i in range(len(word["text"]))]
        confidences += [word["confidence"]] * len(word["text"])
    return Region(
        np.array(view["polygon"], np.float32),
        view["detection_confidence"],
        Kind(view["kind"]),
        view["kind_confidence"],
        view["text"],
        view["confidence"],
        view["engine"],
        char_spans=tuple(spans),
        char_confidences=tuple(confidences),
    )


def page() -> str:
    """The text of docs/formats.md."""
    return "".join(_parts())


def _parts() -> Iterator[str]:
    yield _HEAD
    for output, names in MEDIA_TYPES.items():
        yield f"| `{output}` | {', '.join(f'`{name}`' for name in names)} |\n"
    read, answer = document()
    reading = Reading(read, answer["request_id"], answer["timings_ms"])
    for output, text in _TEXTS.items():
        sample = write(reading, output).decode().replace("\r\n", "\n")
        if output is OutputFormat.JSON:
            sample = json.dumps(_shortened(json.loads(sample)), ensure_ascii=False, indent=1)
        language = {"json": "json", "hocr": "xml", "alto": "xml"}.get(output, "text")
        yield f"\n## `{output}`\n\n{text}\n\n```{language}\n{sample.rstrip()}\n```\n"
    yield "\n" + _TAIL


def _shortened(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with its first region alone."""
    answer["pages"][0]["regions"][1:] = []
    return answer


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
