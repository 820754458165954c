"""A page with its regions drawn over it: handwriting in one colour, print in another."""

from __future__ import annotations

import io

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from deployments.geometry import quad_size
from deployments.types import Kind
from serve_app.render.images import PageImage
from serve_app.results import PageResult

Colour = tuple[int, int, int]

# Those of the page at ``/``, told apart by the colour-blind too.
COLOURS: dict[Kind | None, Colour] = {
    Kind.PRINTED: (0x24, 0x63, 0xA6),
    Kind.HANDWRITTEN: (0xB0, 0x4C, 0x14),
    None: (0x6B, 0x65, 0x5A),
}
_FILL_ALPHA = 36
_PAGE_PER_STROKE = 700
_NUMBER_SHARE = 0.5
_NUMBER_MIN_PX = 9
# Stronger compression takes much longer and gains little on scans.
_COMPRESS_LEVEL = 3


def render(page: PageResult, image: PageImage) -> bytes:
    """A PNG of the page's size; each region's outline carries its number in reading order."""
    with PIL.Image.open(io.BytesIO(image.jpeg), formats=["JPEG"]) as picture:
        drawn = picture.convert("RGB")
    stroke_px = max(2, round(max(drawn.size) / _PAGE_PER_STROKE))
    draw = PIL.ImageDraw.Draw(drawn, "RGBA")
    for number, region in enumerate(page.regions, 1):
        corners = [(float(x), float(y)) for x, y in region.quad]
        colour = COLOURS[region.kind]
        draw.polygon(corners, fill=(*colour, _FILL_ALPHA), outline=colour, width=stroke_px)
        size_px = max(_NUMBER_MIN_PX, _NUMBER_SHARE * quad_size(region.quad)[1])
        font = PIL.ImageFont.load_default(size_px)
        label = str(number)
        # Before the line where there is room, else inside it.
        x = corners[0][0] - font.getlength(label) - 2 * stroke_px
        draw.text((x if x >= 0 else corners[0][0] + stroke_px, corners[0][1]), label, colour, font)
    stream = io.BytesIO()
    drawn.save(stream, "PNG", compress_level=_COMPRESS_LEVEL)
    return stream.getvalue()
