"""A document as hOCR 1.2: XHTML with the layout in class names and titles.

http://kba.github.io/hocr-spec/1.2/. Paragraphs are ``ocr_carea`` and ``ocr_par``, located lines
``ocr_line``, words ``ocrx_word``. ``x_kind`` on a line, handwritten or printed, is our own property;
the standard reserves names with ``x_`` for that. Lines without text are left out.
"""

from __future__ import annotations

import math
from xml.etree.ElementTree import Element

from deployments.types import Points
from serve_app.assembly import paragraphs
from serve_app.render.xml import SOFTWARE, child, serialise, union, whole_box
from serve_app.results import DocumentResult, PageResult, Region
from serve_app.words import words_of

_DOCTYPE = (
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" '
    '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n'
)
_CAPABILITIES = "ocr_page ocr_carea ocr_par ocr_line ocrx_word ocrp_wconf"
# A line turned by less than this is level, with a sloping baseline.
_LEVEL_DEG = 30.0


def render(document: DocumentResult) -> bytes:
    """UTF-8 XHTML; an ``ocr_page`` for every page, empty where the page failed."""
    root = Element("html", {"xmlns": "http://www.w3.org/1999/xhtml"})
    head = child(root, "head")
    child(head, "title", text=_title(document))
    child(head, "meta", {"http-equiv": "Content-Type", "content": "text/html; charset=utf-8"})
    child(head, "meta", {"name": "ocr-system", "content": SOFTWARE})
    child(head, "meta", {"name": "ocr-capabilities", "content": _CAPABILITIES})
    child(head, "meta", {"name": "ocr-langs", "content": "ru en"})
    child(head, "meta", {"name": "ocr-number-of-pages", "content": len(document.pages)})
    body = child(root, "body")
    for page in document.pages:
        _page(body, page)
    return serialise(root, _DOCTYPE)


def _title(document: DocumentResult) -> str:
    origins = [page.origin for page in document.pages if page.origin and page.origin.file_name]
    return (origins[0].file_name or "") if origins else "Document"


def _page(body: Element, page: PageResult) -> None:
    number = page.index + 1
    title = [f"bbox 0 0 {page.width_px} {page.height_px}", f"ppageno {page.index}"]
    if page.origin is not None:
        if page.origin.file_name:
            name = page.origin.file_name.replace("\\", "/").replace('"', "'")
            title.insert(0, f'image "{name}"')
        if page.origin.dpi:
            title.append(f"scan_res {round(page.origin.dpi)} {round(page.origin.dpi)}")
    element = child(body, "div", {"class": "ocr_page", "id": f"page_{number}", "title": "; ".join(title)})
    line_number = 0
    for index, regions in enumerate(paragraphs(page.regions, page.skew_deg), 1):
        box = _bbox(union([whole_box(region.quad) for region in regions]))
        area = child(element, "div", {"class": "ocr_carea", "id": f"block_{number}_{index}", "title": box})
        paragraph = child(area, "p", {"class": "ocr_par", "id": f"par_{number}_{index}", "title": box})
        for region in regions:
            line_number += 1
            _line(paragraph, region, f"{number}_{line_number}")


def _line(paragraph: Element, region: Region, name: str) -> None:
    title = [_bbox(whole_box(region.quad)), *_slope(region.quad)]
    if region.kind is not None:
        title.append(f"x_kind {region.kind}")
    line = child(paragraph, "span", {"class": "ocr_line", "id": f"line_{name}", "title": "; ".join(title)})
    for index, word in enumerate(words_of(region), 1):
        properties = _bbox(whole_box(word.quad))
        if word.confidence is not None:
            properties += f"; x_wconf {round(100 * word.confidence)}"
        attributes = {"class": "ocrx_word", "id": f"word_{name}_{index}", "title": properties}
        child(line, "span", attributes, word.text)


def _bbox(box: tuple[int, int, int, int]) -> str:
    return "bbox " + " ".join(map(str, box))


def _slope(quad: Points) -> list[str]:
    """The baseline of a level line, against the bottom left of its box; the angle of any other."""
    _, _, bottom_right, bottom_left = quad.astype(float)
    across, down = bottom_right - bottom_left
    angle_deg = -math.degrees(math.atan2(down, across))
    if abs(angle_deg) > _LEVEL_DEG:
        return [f"textangle {angle_deg % 360:.1f}"]
    offset = bottom_left[1] - whole_box(quad)[3]
    return [f"baseline {down / across:.4f} {offset:.1f}"]
