"""A document as ALTO 4 (http://www.loc.gov/standards/alto/), in pixels, one file for all pages.

Paragraphs are text blocks, located lines text lines with the line's quad as their shape. A tag on
each line says whether it is handwritten or printed. Lines without text are left out.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

from deployments.geometry import quad_bounds
from deployments.types import Kind, Points
from serve_app.assembly import paragraphs
from serve_app.render.rounding import pixels, probability
from serve_app.render.xml import SOFTWARE, child, serialise, union, whole_box
from serve_app.results import DocumentResult, PageResult, Region
from serve_app.words import words_of

NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"


def render(document: DocumentResult) -> bytes:
    """UTF-8 XML; a ``Page`` for every page, empty where the page failed."""
    root = Element("alto", {"xmlns": NAMESPACE, "SCHEMAVERSION": "4.4"})
    _describe(root, document)
    tags = child(root, "Tags")
    for kind in Kind:
        child(tags, "OtherTag", {"ID": _tag(kind), "TYPE": "kind", "LABEL": kind})
    layout = child(root, "Layout")
    for page in document.pages:
        _page(layout, page)
    return serialise(root)


def _describe(root: Element, document: DocumentResult) -> None:
    description = child(root, "Description")
    child(description, "MeasurementUnit", text="pixel")
    names = {page.origin.file_name for page in document.pages if page.origin and page.origin.file_name}
    if len(names) == 1:
        child(child(description, "sourceImageInformation"), "fileName", text=names.pop())
    step = child(description, "Processing", {"ID": "reading"})
    child(step, "processingCategory", text="contentGeneration")
    if document.engines:
        engines = ", ".join(f"{stage}: {engine}" for stage, engine in document.engines.items())
        child(step, "processingStepSettings", text=engines)
    child(child(step, "processingSoftware"), "softwareName", text=SOFTWARE)


def _page(layout: Element, page: PageResult) -> None:
    number = page.index + 1
    size = {"HEIGHT": page.height_px, "WIDTH": page.width_px}
    element = child(layout, "Page", {"ID": f"page_{number}", "PHYSICAL_IMG_NR": number, **size})
    space = child(element, "PrintSpace", {"HPOS": 0, "VPOS": 0, **size})
    line_number = 0
    for index, regions in enumerate(paragraphs(page.regions, page.skew_deg), 1):
        left, top, right, bottom = union([whole_box(region.quad) for region in regions])
        place = {"HPOS": left, "VPOS": top, "WIDTH": right - left, "HEIGHT": bottom - top}
        block = child(space, "TextBlock", {"ID": f"block_{number}_{index}", **place})
        for region in regions:
            line_number += 1
            _line(block, region, f"{number}_{line_number}")


def _line(block: Element, region: Region, name: str) -> None:
    _, _, bottom_right, bottom_left = region.quad
    attributes = {
        "ID": f"line_{name}",
        "TAGREFS": region.kind and _tag(region.kind),
        "BASELINE": _points([bottom_left, bottom_right]),
        **_place(region.quad),
    }
    line = child(block, "TextLine", attributes)
    child(child(line, "Shape"), "Polygon", {"POINTS": _points(list(region.quad))})
    for index, word in enumerate(words_of(region), 1):
        if index > 1:
            child(line, "SP")
        confidence = probability(word.confidence)
        attributes = {"ID": f"word_{name}_{index}", "CONTENT": word.text, "WC": confidence}
        child(line, "String", {**attributes, **_place(word.quad)})


def _tag(kind: Kind) -> str:
    return f"kind_{kind}"


def _place(quad: Points) -> dict[str, float]:
    x, y, width, height = map(pixels, quad_bounds(quad))
    return {"HPOS": x, "VPOS": y, "WIDTH": width, "HEIGHT": height}


def _points(points: list[Points]) -> str:
    return " ".join(f"{pixels(x):g},{pixels(y):g}" for x, y in points)
