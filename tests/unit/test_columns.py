"""Columns of prose, told by their text, and what is not."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.assembly import paragraphs, reading_order
from tests.layouts import (
    ENGLISH,
    RUSSIAN,
    column,
    grid,
    line,
    read,
    table_text,
    text_of,
    wrapped,
)

# A line of 36 letters is 342 px long: the gutter between the fullest lines is 8 px, 0.4 of a height.
LETTERS = 36
LEFTS = (50, 400, 750)


def lines_of(start: int, count: int, letters: int = LETTERS) -> list[str]:
    return wrapped(RUSSIAN, letters, count, start)


@pytest.mark.parametrize("columns", [2, 3])
def test_ragged_columns_with_narrow_gutters_are_read_one_after_the_other(columns: int) -> None:
    texts = [lines_of(12 * i, 12) for i in range(columns)]
    page = [each for text, x in zip(texts, LEFTS, strict=False) for each in column(text, x, 100)]
    assert read(page) == text_of(*texts)


def test_full_lines_whose_boxes_touch_over_the_gutter_are_columns() -> None:
    left, right = lines_of(0, 12), lines_of(12, 12)
    page = [
        line(text, x, 100 + 26 * i, 344)
        for x, texts in ((50, left), (390, right))
        for i, text in enumerate(texts)
    ]
    assert read(page) == text_of(left, right)


def test_columns_of_two_languages_are_read_one_after_the_other() -> None:
    russian, english = wrapped(RUSSIAN, 34, 14), wrapped(ENGLISH, 34, 14)
    page = [line("ДОГОВОР / AGREEMENT", 280, 30), *column(russian, 50, 90), *column(english, 400, 90)]
    assert read(page) == text_of(["ДОГОВОР / AGREEMENT"], russian, english)


def test_columns_that_do_not_stand_level_and_end_apart() -> None:
    left, right = [*lines_of(0, 11), "в срок."], lines_of(12, 5)
    assert read(column(left, 50, 100) + column(right, 400, 111, 27)) == text_of(left, right)


def test_headings_across_both_columns_stay_in_their_place() -> None:
    upper, lower = [lines_of(0, 6), lines_of(6, 6)], [lines_of(12, 6), lines_of(18, 2)]
    page = [
        line("Общие положения", 290, 20, 220, 34),
        *column(upper[0], 50, 90),
        *column(upper[1], 400, 90),
        line("Срок действия и порядок расторжения", 230, 270, 340, 26),
        *column(lower[0], 50, 320),
        *column(lower[1], 400, 320),
    ]
    assert read(page) == text_of(["Общие положения"], *upper, ["Срок действия и порядок расторжения"], *lower)


def test_a_heading_over_three_columns_belongs_to_none() -> None:
    """It reaches less than a quarter of its length beyond either gutter."""
    texts = [lines_of(9 * i, 9, 24) for i in range(3)]
    page = [line("Новости дня", 220, 20, 440, 40)]
    page += [each for i, text in enumerate(texts) for each in column(text, 50 + 240 * i, 90)]
    assert read(page) == text_of(["Новости дня"], *texts)


def test_ends_of_lines_that_lean_over_the_gutter_stay_in_their_column() -> None:
    left, right = lines_of(0, 12), lines_of(12, 12)
    page = column(left, 50, 100) + column(right, 400, 100)
    page[3:5] = [line(left[3], 50, 178, 375), line(left[4], 50, 204, 380)]
    assert read(page) == text_of(left, right)


def test_columns_go_on_beyond_a_figure() -> None:
    left, right = lines_of(0, 10), lines_of(10, 10)
    page = [
        each
        for text, x in ((left, 50), (right, 400))
        for each in column(text[:5], x, 50) + column(text[5:], x, 400)
    ]
    assert read(page) == text_of(left[:5], left[5:], right[:5], right[5:])


def test_a_table_between_two_parts_of_columns_is_read_by_rows() -> None:
    rows = [
        ("Год", "Выпуск", "Цена", "Итого"),
        ("2021", "120", "15,00", "1800"),
        ("2022", "9", "16,00", "144"),
    ]
    parts = [lines_of(start, 6) for start in (0, 6, 12, 18)]
    page = column(parts[0], 50, 50) + column(parts[1], 400, 50)
    page += grid(rows, (60, 240, 450, 620), 256)
    page += column(parts[2], 50, 402) + column(parts[3], 400, 402)
    order = read(page).replace("\n\n", "\n")
    assert order == "\n".join([*parts[0], *parts[1], table_text(rows), *parts[2], *parts[3]])


def test_prose_over_the_whole_width_comes_before_the_columns_below_it() -> None:
    wide, left, right = lines_of(0, 9, 74), lines_of(20, 8), lines_of(28, 8)
    page = column(wide, 50, 30) + column(left, 50, 320) + column(right, 400, 320)
    assert read(page) == text_of(wide, left, right)


def test_paragraphs_end_where_columns_do() -> None:
    left, right = lines_of(0, 8), lines_of(8, 8)
    page = reading_order(column(left, 50, 100) + column(right, 400, 100))
    assert [[region.text for region in group] for group in paragraphs(page)] == [left, right]


LOWER_CASE = [
    ("болт", "штука", "двадцать", "сталь"),
    ("гайка", "штука", "сорок", "латунь"),
    ("шайба", "штука", "сто", "медь"),
    ("винт", "штука", "десять", "сталь"),
    ("шуруп", "пачка", "две", "цинк"),
]
LONG_CELLS = [
    ("товар", "чем измеряется", "цена"),
    ("гвозди строительные", "килограмм", "сто двадцать рублей"),
    ("доска", "кубический метр", "пять тысяч рублей"),
    ("краска масляная белая", "банка", "триста рублей"),
    ("кисть малярная", "штука", "сорок"),
]
# Marks after words and small letters make no prose of short cells, nor marks of lines that begin anew.
SHORT_CELLS = [
    ("болт", "шт.", "сталь", "ст."),
    ("гайка", "шт.", "медь", "ст."),
    ("краска", "б.", "белая", "н."),
] * 2
PEOPLE = [
    ("Иванов И. И.", "Инженер, начальник"),
    ("Петров П.", "Техник, ст."),
    ("Сидорова А. А.", "Врач"),
] * 2
NUMBERS = [(f"{1234567 * row:012d}", f"{7654321 * row:012d}") for row in range(1, 9)]


@pytest.mark.parametrize(
    ("rows", "lefts"),
    [
        (LOWER_CASE, (50, 250, 450, 650)),
        (LONG_CELLS, (50, 330, 560)),
        (SHORT_CELLS, (50, 250, 450, 650)),
        (PEOPLE, (50, 330)),
        (NUMBERS, (50, 350)),
    ],
    ids=["words", "long cells", "short cells", "people", "numbers"],
)
def test_a_table_stays_a_table(rows: list[tuple[str, ...]], lefts: tuple[float, ...]) -> None:
    assert read(grid(rows, lefts, 50)) == table_text(rows)


def test_a_line_of_handwriting_in_two_pieces_is_one_line() -> None:
    texts = wrapped(RUSSIAN, 56, 10)
    page = []
    for i, text in enumerate(texts):
        cut = text.index(" ", 12 + 7 * i % 30)
        page += [line(text[:cut], 50, 50 + 44 * i, 12 * cut)] if i % 3 else [line(text, 50, 50 + 44 * i)]
        page += [line(text[cut + 1 :], 66 + 12 * cut, 53 + 44 * i, 12 * (len(text) - cut))] if i % 3 else []
    assert read(page).replace("\t", " ") == "\n".join(texts)


@pytest.mark.parametrize("say", [str.upper, lambda text: "7" * len(text), lambda text: "语" * len(text)])
def test_without_small_letters_the_lengths_of_lines_tell(say: Callable[[str], str]) -> None:
    left, right = ([f"{i}{say(text)}" for i, text in enumerate(lines_of(start, 8))] for start in (0, 8))
    page = column(left, 50, 100) + column(right, 450, 100)
    assert read(page) == text_of(left, right)


def test_lines_that_nobody_read_are_put_in_order_by_their_lengths() -> None:
    columns = column(lines_of(0, 8), 50, 100) + column(lines_of(8, 8), 450, 100)
    table = grid(LOWER_CASE, (50, 250, 450, 650), 600)
    unread = [replace(region, text=None) for region in columns + table]
    assert reading_order(random.Random(2).sample(unread, len(unread))) == unread


boxes = st.tuples(
    st.sampled_from([*wrapped(RUSSIAN, 20, 8), "Итого", "12,50", ""]), st.floats(0, 900), st.floats(0, 900)
)


@settings(max_examples=100, deadline=None)
@given(st.lists(boxes, max_size=60))
def test_every_line_is_kept_once_whatever_it_says(layout: list[tuple[str, float, float]]) -> None:
    regions = [line(text, x, y, 190) for text, x, y in layout]
    ordered = reading_order(regions)
    assert sorted(map(id, ordered)) == sorted(map(id, regions))


def test_one_block_has_no_columns() -> None:
    left, right = column(lines_of(0, 5), 50, 100), column(lines_of(5, 5), 400, 100)
    rows = [each for pair in zip(left, right, strict=True) for each in pair]
    assert reading_order(left + right, one_block=True) == rows


def test_more_gutters_than_any_page_has_columns_are_a_table() -> None:
    """Columns of a page are peeled off one by one, which takes long where there are hundreds."""
    cells = [tuple(f"column {column} row {row} goes" for column in range(20)) for row in range(4)]
    page = [
        line(text, 50 + 400 * column, 100 + 26 * row, 300)
        for row, texts in enumerate(cells)
        for column, text in enumerate(texts)
    ]
    assert read(page) == table_text(cells)
