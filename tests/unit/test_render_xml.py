"""hOCR and ALTO: well-formed, and built as their standards say."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from lxml import etree

from deployments.types import Kind
from serve_app.render import alto, hocr
from serve_app.results import PageResult, Region
from tests.documents import SIZE_PX, WORDS, document_of, failed_page, page_of_lines

XHTML = "{http://www.w3.org/1999/xhtml}"
ALTO = f"{{{alto.NAMESPACE}}}"


def classed(root: etree._Element, name: str) -> list[etree._Element]:
    return [element for element in root.iter() if element.get("class") == name]


def box(element: etree._Element) -> list[int]:
    match = re.search(r"\bbbox (\d+) (\d+) (\d+) (\d+)", element.get("title"))
    assert match is not None
    return [int(part) for part in match.groups()]


def contains(outer: list[int], inner: list[int]) -> bool:
    return outer[0] <= inner[0] <= inner[2] <= outer[2] and outer[1] <= inner[1] <= inner[3] <= outer[3]


def test_hocr_is_xhtml_with_the_metadata_that_the_standard_requires() -> None:
    root = etree.fromstring(hocr.render(document_of()))
    assert root.tag == f"{XHTML}html"
    metadata = {meta.get("name"): meta.get("content") for meta in root.iter(f"{XHTML}meta")}
    assert metadata["ocr-system"]
    used = {element.get("class") for element in root.iter() if element.get("class")}
    assert used <= set(metadata["ocr-capabilities"].split())
    identifiers = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(identifiers) == len(set(identifiers)) > 10


def test_hocr_nests_boxes_from_page_to_word() -> None:
    root = etree.fromstring(hocr.render(document_of()))
    (page,) = classed(root, "ocr_page")
    assert box(page) == [0, 0, *SIZE_PX]
    assert "scan_res 150 150" in page.get("title") and "ppageno 0" in page.get("title")
    assert len(classed(page, "ocr_par")) == 2 and len(classed(page, "ocr_line")) == 3
    assert [word.text for word in classed(page, "ocrx_word")] == WORDS
    for outer, inner in (("ocr_page", "ocr_carea"), ("ocr_carea", "ocr_par"), ("ocr_line", "ocrx_word")):
        for parent in classed(root, outer):
            assert all(contains(box(parent), box(element)) for element in classed(parent, inner))


def test_hocr_says_confidence_kind_and_baseline() -> None:
    root = etree.fromstring(hocr.render(document_of()))
    assert all("x_wconf 75" in word.get("title") for word in classed(root, "ocrx_word"))
    lines = [line.get("title") for line in classed(root, "ocr_line")]
    assert [title.rpartition(" ")[2] for title in lines] == ["printed", "printed", "handwritten"]
    assert all("baseline 0.0000 0.0" in title for title in lines)


@pytest.mark.parametrize(
    ("quad", "expected"),
    [([[10, 20], [110, 30], [110, 50], [10, 40]], "baseline 0.1000 -10.0"),
     ([[10, 110], [10, 10], [30, 10], [30, 110]], "textangle 90.0"),
     ([[30, 10], [30, 110], [10, 110], [10, 10]], "textangle 270.0")],
)  # fmt: skip
def test_hocr_says_how_a_line_is_turned(quad: list[list[float]], expected: str) -> None:
    region = Region(np.float32(quad), 0.9, Kind.PRINTED, 0.9, "text", 0.9)
    root = etree.fromstring(hocr.render(document_of(PageResult(0, 200, 200, regions=(region,)))))
    assert expected in classed(root, "ocr_line")[0].get("title")


@pytest.mark.parametrize("render", [hocr.render, alto.render])
def test_a_page_that_failed_is_empty(render: object) -> None:
    root = etree.fromstring(render(document_of(page_of_lines(), failed_page())))  # type: ignore[operator]
    pages = classed(root, "ocr_page") or list(root.iter(f"{ALTO}Page"))
    assert len(pages) == 2 and "".join(pages[1].itertext()).strip() == ""


@pytest.mark.parametrize("render", [hocr.render, alto.render])
def test_characters_that_xml_forbids_are_replaced(render: object) -> None:
    page = page_of_lines(file_name="a\x00b.png")
    region = replace(page.regions[0], text="tab\x01\ufffe")
    root = etree.fromstring(render(document_of(replace(page, regions=(region,)))))  # type: ignore[operator]
    assert "tab\ufffd\ufffd" in etree.tostring(root, encoding="unicode")


# The parts of the ALTO 4 schema that are used here: an element's children in their order, and its
# required and optional attributes.
SCHEMA: dict[str, tuple[str, set[str], set[str]]] = {
    "alto": ("Description Tags Layout", set(), {"SCHEMAVERSION"}),
    "Description": ("MeasurementUnit sourceImageInformation? Processing*", set(), set()),
    "sourceImageInformation": ("fileName?", set(), set()),
    "Processing": (
        "processingCategory? processingStepSettings? processingSoftware?", {"ID"}, set()
    ),
    "processingSoftware": ("softwareName?", set(), set()),
    "Tags": ("OtherTag*", set(), set()),
    "OtherTag": ("", {"ID", "LABEL"}, {"TYPE"}),
    "Layout": ("Page+", set(), set()),
    "Page": ("PrintSpace?", {"ID", "PHYSICAL_IMG_NR"}, {"HEIGHT", "WIDTH"}),
    "PrintSpace": ("TextBlock*", set(), {"HPOS", "VPOS", "HEIGHT", "WIDTH"}),
    "TextBlock": ("TextLine*", {"ID"}, {"HPOS", "VPOS", "HEIGHT", "WIDTH"}),
    "TextLine": (
        "Shape? String (SP String)*", set(), {"ID", "TAGREFS", "BASELINE", "HPOS", "VPOS", "HEIGHT", "WIDTH"}
    ),
    "Shape": ("Polygon", set(), set()),
    "Polygon": ("", {"POINTS"}, set()),
    "String": ("", {"CONTENT"}, {"ID", "WC", "HPOS", "VPOS", "HEIGHT", "WIDTH"}),
    "SP": ("", set(), set()),
    **{name: ("", set(), set()) for name in (
        "MeasurementUnit", "fileName", "processingCategory", "processingStepSettings", "softwareName"
    )},
}  # fmt: skip


def order(model: str) -> re.Pattern[str]:
    """A content model as a pattern over the names of children, each followed by a space."""
    return re.compile(re.sub(r"\w+", r"(?:\g<0>\\s)", model), re.VERBOSE)


def assert_valid(root: etree._Element) -> None:
    for element in root.iter():
        name = etree.QName(element).localname
        model, required, optional = SCHEMA[name]
        children = "".join(f"{etree.QName(inner).localname} " for inner in element)
        assert order(model).fullmatch(children), f"{name}: {children!r} is not {model!r}"
        assert required <= set(element.attrib) <= required | optional, name
        for key in {"HPOS", "VPOS", "HEIGHT", "WIDTH"} & set(element.attrib):
            float(element.get(key))
        assert not element.get("WC") or 0 <= float(element.get("WC")) <= 1
    identifiers = [element.get("ID") for element in root.iter() if element.get("ID")]
    assert len(identifiers) == len(set(identifiers))
    assert all(re.fullmatch(r"[A-Za-z_][\w.-]*", identifier) for identifier in identifiers)
    assert {tag for line in root.iter() for tag in line.get("TAGREFS", "").split()} <= set(identifiers)


def test_alto_is_built_as_its_schema_says() -> None:
    document = document_of(page_of_lines(), page_of_lines(1), failed_page(2))
    assert_valid(etree.fromstring(alto.render(document)))


def test_a_breach_of_the_schema_is_seen() -> None:
    root = etree.fromstring(alto.render(document_of()))
    line = next(root.iter(f"{ALTO}TextLine"))
    line.append(line[0])
    with pytest.raises(AssertionError, match="TextLine"):
        assert_valid(root)


def test_alto_holds_the_words_their_places_and_kinds() -> None:
    root = etree.fromstring(alto.render(document_of()))
    strings = list(root.iter(f"{ALTO}String"))
    assert [string.get("CONTENT") for string in strings] == WORDS
    assert {string.get("WC") for string in strings} == {"0.75"}
    lines = list(root.iter(f"{ALTO}TextLine"))
    assert [line.get("TAGREFS") for line in lines] == ["kind_printed"] * 2 + ["kind_handwritten"]
    place = [float(lines[0].get(key)) for key in ("HPOS", "VPOS", "WIDTH", "HEIGHT")]
    assert place == [40, 40, 360, 26]
    assert lines[0].get("BASELINE") == "40,66 400,66"
    assert next(root.iter(f"{ALTO}Polygon")).get("POINTS") == "40,40 400,40 400,66 40,66"
    for line in lines:
        right = float(line.get("HPOS")) + float(line.get("WIDTH"))
        last = line[-1]
        assert float(last.get("HPOS")) + float(last.get("WIDTH")) == pytest.approx(right, abs=0.2)


def test_alto_names_its_source_only_where_there_is_one() -> None:
    one = etree.fromstring(alto.render(document_of(page_of_lines(), page_of_lines(1))))
    assert [element.text for element in one.iter(f"{ALTO}fileName")] == ['счёт "7".png']
    two = etree.fromstring(alto.render(document_of(page_of_lines(), page_of_lines(1, file_name="b", file=2))))
    assert list(two.iter(f"{ALTO}fileName")) == []
