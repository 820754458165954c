"""Documents for the page, and how they get onto it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image
import PIL.ImageDraw

from tests.pictures import encoded

PATIENCE_S = 30.0
SAMPLE = json.loads((Path(__file__).parent / "sample_form.json").read_text(encoding="utf-8"))
SAMPLE_TEXTS = [entry["text"] for entry in SAMPLE]


def rows(*colours: str) -> PIL.Image.Image:
    """A page with a row of ink of each colour; coloured ink is read as handwriting."""
    page = PIL.Image.new("RGB", (400, max(300, 60 * len(colours) + 40)), "white")
    for number, colour in enumerate(colours):
        page.paste(colour, (40, 40 + 60 * number, 300, 70 + 60 * number))
    return page


def tiff(first: PIL.Image.Image, *more: PIL.Image.Image) -> bytes:
    return encoded(first, "TIFF", compression="tiff_lzw", save_all=True, append_images=more)


def pdf(first: PIL.Image.Image, *more: PIL.Image.Image) -> bytes:
    """A PDF of pictures, one a page, of a size that 200 dpi give back."""
    return encoded(first, "PDF", save_all=True, append_images=more, resolution=200)


def upload(data: bytes, name: str = "scan.png") -> dict[str, Any]:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


def send(page: Any, *files: dict[str, Any]) -> None:
    page.set_input_files("#file", list(files))


def wait_until_read(page: Any) -> None:
    """All is read, and drawn: that comes with the frame after."""
    page.wait_for_selector("body[data-state=read] #result[aria-busy=false]")


def until(page: Any, condition: Callable[[], bool]) -> None:
    """Let the browser and the service go on until something is so."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, "it never came to be so"
        page.wait_for_timeout(50)


def open_sample(page: Any) -> None:
    page.click("#sample")
    wait_until_read(page)


def open_document(page: Any, *files: dict[str, Any]) -> None:
    send(page, *files)
    wait_until_read(page)


def save_as(page: Any, name: str) -> None:
    """Have what was read saved, in a format of the list."""
    page.select_option("#save-as", value=name)
    page.click("#save")


def transfer_of(page: Any, *names: str) -> Any:
    """A DataTransfer with a picture of one row under each name."""
    return page.evaluate_handle(
        """([data, names]) => {
            const transfer = new DataTransfer();
            for (const name of names) {
                transfer.items.add(new File([new Uint8Array(data)], name, {type: "image/png"}));
            }
            return transfer;
        }""",
        [list(encoded(rows("blue"))), list(names)],
    )


def pixel(page: Any, x: float, y: float) -> tuple[int, ...]:
    """The colour of the picture under the boxes, at shares of its size."""
    found = page.evaluate(
        """async ([x, y]) => {
            const image = document.getElementById("image");
            await image.decode();
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
            const context = canvas.getContext("2d");
            context.drawImage(image, 0, 0);
            return [...context.getImageData(x * canvas.width, y * canvas.height, 1, 1).data];
        }""",
        [x, y],
    )
    return tuple(found)


def problem(status: int, code: str = "not_found", **headers: str) -> dict[str, Any]:
    """What the service answers with, for a route."""
    body = {
        "type": f"/problems/{code}",
        "title": "T.",
        "status": status,
        "detail": "D.",
        "request_id": "id-1",
    }
    kind = {"Content-Type": "application/problem+json", "X-Request-ID": "id-1"}
    return {"status": status, "headers": {**kind, **headers}, "body": json.dumps(body)}


SCAN = upload(encoded(rows("black")))
THREE_PAGES = upload(tiff(rows("black"), rows("blue", "black"), rows("black")), "scan.tiff")
