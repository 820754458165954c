from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from deployments.geometry import level_keystone, project_points, quad_from_box, rotate_points
from serve_app.assembly import page_text, reading_order
from serve_app.boxes import levelled
from serve_app.results import Region
from tests.layouts import line, read

DATA = Path(__file__).parents[3] / "shared" / "data"


def turned(regions: list[Region], angle_deg: float) -> list[Region]:
    return [
        Region(rotate_points(region.quad, angle_deg, (500.0, 700.0)), 1.0, text=region.text)
        for region in regions
    ]


def paragraph(
    name: str, x: float, y: float, lines: int, width: float = 400, pitch: float = 30
) -> list[Region]:
    """Lines of running text; the last is short."""
    return [
        line(f"{name}{i}", x, y + i * pitch, width if i < lines - 1 else 0.3 * width) for i in range(lines)
    ]


def texts(prefix: str, count: int) -> str:
    return "\n".join(f"{prefix}{i}" for i in range(count))


def test_nothing() -> None:
    assert reading_order([]) == []
    assert page_text([]) == ""


def test_one_column_with_paragraphs() -> None:
    page = paragraph("a", 100, 100, 5) + paragraph("b", 100, 300, 4)
    assert read(page) == f"{texts('a', 5)}\n\n{texts('b', 4)}"


@pytest.mark.parametrize("offset_px", [0, 11])
def test_two_columns_are_read_one_after_the_other(offset_px: float) -> None:
    page = paragraph("a", 50, 100, 8) + paragraph("b", 500, 100 + offset_px, 7)
    assert read(page) == f"{texts('a', 8)}\n\n{texts('b', 7)}"


def test_three_columns() -> None:
    page = [region for i, name in enumerate("abc") for region in paragraph(name, 50 + 450 * i, 100, 6)]
    assert read(page) == f"{texts('a', 6)}\n\n{texts('b', 6)}\n\n{texts('c', 6)}"


def test_a_title_and_a_footer_span_the_columns() -> None:
    page = [
        line("title", 200, 20, 600, 40),
        *paragraph("a", 50, 100, 6),
        *paragraph("b", 500, 100, 6),
        line("between the columns, as wide as the page", 50, 320, 850),
        *paragraph("c", 50, 380, 5),
        *paragraph("d", 500, 380, 5),
        line("7", 480, 620, 20),
    ]
    order = read(page).replace("\n\n", "\n").split("\n")
    assert (
        order[0] == "title" and order[13] == "between the columns, as wide as the page" and order[-1] == "7"
    )
    assert order[1:13] == [f"a{i}" for i in range(6)] + [f"b{i}" for i in range(6)]
    assert order[14:-1] == [f"c{i}" for i in range(5)] + [f"d{i}" for i in range(5)]


def test_a_receipt_is_read_row_by_row() -> None:
    goods = [("Хлеб", "45,00"), ("Молоко 2,5%", "89,90"), ("Сыр", "310,00"), ("ИТОГ", "444,90")]
    page = [line("ООО «Ромашка»", 150, 20, 300)]
    for i, (name, price) in enumerate(goods):
        page += [line(name, 50, 80 + 30 * i, 14 * len(name)), line(price, 480, 82 + 30 * i, 70)]
    rows = "\n".join(f"{name}\t{price}" for name, price in goods)
    assert read(page) == f"ООО «Ромашка»\n\n{rows}"


def test_a_form_keeps_label_and_value_in_a_row() -> None:
    labels = ["Фамилия", "Имя, отчество", "Дата рождения", "Место рождения", "Подпись"]
    page = []
    for i, label in enumerate(labels):
        page += [
            line(label, 60, 100 + 60 * i, 13 * len(label)),
            # A hand is larger than print and does not keep to its baseline.
            line(f"value {i}", 330, 90 + 60 * i + (5 if i % 2 else -4), 260, 38),
        ]
    assert read(page) == "\n".join(f"{label}\tvalue {i}" for i, label in enumerate(labels))


def test_a_table_of_four_columns_is_read_row_by_row() -> None:
    page = [
        line(f"r{row}c{column}", 50 + 200 * column, 50 + 32 * row, 80)
        for row in range(6)
        for column in range(4)
    ]
    assert read(page) == "\n".join("\t".join(f"r{row}c{column}" for column in range(4)) for row in range(6))


def test_words_of_a_row_are_joined_by_spaces() -> None:
    page = [line("one", 50, 50, 40), line("two", 100, 53, 40), line("three", 150, 48, 60)]
    assert read(page) == "one two three"


def test_overlapping_lines_of_a_large_hand_stay_apart() -> None:
    page = [line(f"h{i}", 40 + 15 * (i % 3), 50 + 45 * i, 600 - 40 * (i % 2), 80) for i in range(8)]
    assert read(page) == texts("h", 8)


@pytest.mark.parametrize("skew_deg", [-6.0, -2.0, 3.0, 8.0])
def test_a_skewed_page_reads_as_the_straight_one(skew_deg: float) -> None:
    page = paragraph("a", 50, 100, 8) + paragraph("b", 500, 100, 7)
    for i in range(4):
        page += [line(f"item{i}", 50, 500 + 30 * i, 90), line(f"price{i}", 830, 500 + 30 * i, 70)]
    assert read(turned(page, skew_deg), skew_deg) == read(page)


def seen_from_one_side(regions: list[Region], keystone_per_px: float) -> list[Region]:
    level, _ = level_keystone(-keystone_per_px, 1000, 1400)
    return [Region(project_points(region.quad, level), 1.0, text=region.text) for region in regions]


@pytest.mark.parametrize("keystone", [-0.15, 0.08, 0.15])
@pytest.mark.parametrize("turn_deg", [0.0, 5.0, 90.0, 184.0])
def test_a_photographed_receipt_reads_as_the_flat_one(keystone: float, turn_deg: float) -> None:
    page = paragraph("a", 50, 50, 6)
    for i in range(24):
        page += [line(f"item{i}", 50, 300 + 30 * i, 90), line(f"price{i}", 900, 300 + 30 * i, 70)]
    taken = turned(seen_from_one_side(page, keystone / 1400), turn_deg)
    skew_deg = (turn_deg + 45) % 90 - 45
    assert read(taken, skew_deg) == read(page)


def test_lines_that_slope_each_its_own_way_stay_where_they_are() -> None:
    rng = np.random.default_rng(0)
    page = [line(f"h{i}", 40, 50 + 45 * i, 600, 30) for i in range(12)]
    crooked = [
        Region(
            rotate_points(each.quad, float(rng.uniform(-2, 2)), (340.0, 65.0 + 45 * i)), 1.0, text=each.text
        )
        for i, each in enumerate(page)
    ]
    quads = [each.quad for each in crooked]
    for before, after in zip(quads, levelled(quads, 0.0), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-3)


def test_pieces_of_a_single_row_say_nothing_of_converging() -> None:
    quads = [line(f"p{i}", 100 * i, 50, 80).quad for i in range(8)]
    np.testing.assert_allclose(levelled(quads, 0.0), quads)


@pytest.mark.parametrize("turn_deg", [90.0, 180.0, 270.0])
def test_a_page_on_its_side_reads_as_the_upright_one(turn_deg: float) -> None:
    page = paragraph("a", 50, 100, 8) + paragraph("b", 500, 100, 7)
    assert read(turned(page, turn_deg)) == read(page)


def test_a_note_along_the_margin_comes_last() -> None:
    note = turned([line("note", 400, 660, 200)], 90.0)
    moved = [Region(note[0].quad - np.float32([480, 300]), 1.0, text="note")]
    assert read(moved + paragraph("a", 100, 100, 20)) == f"{texts('a', 20)}\n\nnote"


def test_regions_without_text_leave_no_trace() -> None:
    page = [line("a", 50, 50, 200), Region(quad_from_box((50, 80, 200, 20)), 1.0), line("b", 50, 110, 200)]
    assert "a" in page_text(page) and page_text([page[1]]) == ""
    assert page_text(page).split() == ["a", "b"]


boxes = st.tuples(st.floats(0, 900), st.floats(0, 900), st.floats(1, 600), st.floats(1, 80))


@settings(max_examples=100, deadline=None)
@given(st.lists(boxes, max_size=25), st.floats(-20, 20), st.randoms(use_true_random=False))
def test_every_region_is_kept_once_whatever_the_layout(
    layout: list[tuple[float, float, float, float]], skew_deg: float, rng: random.Random
) -> None:
    regions = [line(str(i), *box) for i, box in enumerate(layout)]
    ordered = reading_order(regions, skew_deg)
    assert sorted(region.text or "" for region in ordered) == sorted(str(i) for i in range(len(layout)))
    assert sorted(page_text(ordered, skew_deg).split()) == sorted(str(i) for i in range(len(layout)))


# Median normalised edit distance between the text in our order and in the annotators' order. Their
# order of a receipt goes column by column, ours row by row: it is not counted.
@pytest.mark.parametrize(
    "name", ["letters_en_cursive", "letters_en_mixed", "pages_ru_printed", "typewritten_en"]
)
def test_real_pages_come_back_in_order(name: str) -> None:
    labels = DATA / name / "labels.jsonl"
    if not labels.exists():
        pytest.skip(f"{labels} is not here")
    distances = []
    for row in labels.read_text(encoding="utf-8").splitlines():
        regions = [
            Region(quad_from_box(tuple(entry["bbox"])), 1.0, text=entry["text"])
            for entry in json.loads(row)["lines"]
        ]
        truth = " ".join(" ".join(region.text or "" for region in regions).split())
        distances.append(Levenshtein.normalized_distance(" ".join(read(regions).split()), truth))
    assert np.median(distances) < 0.02
    assert np.mean(distances) < 0.10
