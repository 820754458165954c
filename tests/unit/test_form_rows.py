"""Labels and answers of forms, and the requisites of two parties."""

from __future__ import annotations

import pytest

from deployments.types import Kind
from serve_app.assembly import reading_order
from serve_app.results import Region
from tests.layouts import (
    LETTER_PX,
    RUSSIAN,
    column,
    grid,
    line,
    printed,
    read,
    table_text,
    text_of,
    wrapped,
    written,
)

LEFTS = (50, 350, 650)
CELLS = [
    [("Фамилия", "Иванов"), ("Имя", "Пётр"), ("Отчество", "Петрович")],
    [("Дата рождения", "1.05.1980"), ("Пол", "муж"), ("Гражданство", "РФ")],
]


def cells(rows: list[list[tuple[str, str]]]) -> list[Region]:
    """A form of cells, each with its label in the upper left and the answer beneath."""
    page = []
    for i, row in enumerate(rows):
        for x, (label, answer) in zip(LEFTS, row, strict=True):
            page += [printed(label, x, 100 + 70 * i)]
            page += [written(answer, x + 10, 125 + 70 * i)] if answer else []
    return page


def test_answers_beneath_their_labels_follow_them() -> None:
    assert read(cells(CELLS)) == text_of(*([label, answer] for row in CELLS for label, answer in row))


def test_a_cell_without_an_answer_takes_none_from_its_neighbours() -> None:
    page = cells([[("Фамилия", "Иванов"), ("Имя", ""), ("Отчество", "Петрович")]])
    order = [region.text for region in reading_order(page)]
    assert order == ["Фамилия", "Иванов", "Имя", "Отчество", "Петрович"]


@pytest.mark.parametrize("has_numbers", [False, True])
def test_what_is_filled_in_below_the_head_of_a_table_keeps_its_rows(has_numbers: bool) -> None:
    rows = [("№", "Дата", "Сумма"), ("1", "1 мая", "120"), ("2", "2 мая", "95")]
    page = [printed(text, x, 50) for text, x in zip(rows[0], LEFTS, strict=True)]
    for i, row in enumerate(rows[1:], 1):
        number = printed(row[0], 50, 57 + 60 * i) if has_numbers else written(row[0], 50, 50 + 60 * i)
        page += [number, *(written(text, x, 50 + 60 * i) for text, x in zip(row[1:], LEFTS[1:], strict=True))]
    assert read(page).replace("\n\n", "\n") == table_text(rows)


@pytest.mark.parametrize("kind", [None, Kind.PRINTED])
def test_print_below_print_is_a_table(kind: Kind | None) -> None:
    rows = [("Фамилия", "Имя", "Отчество"), ("Иванов", "Пётр", "Петрович")]
    page = [
        line(text, x, 50 + 30 * i, kind=kind)
        for i, row in enumerate(rows)
        for text, x in zip(row, LEFTS, strict=True)
    ]
    assert read(page) == table_text(rows)


def test_long_labels_and_the_answers_beside_them_are_not_columns() -> None:
    fields = [
        ("Фамилия, имя, отчество заявителя", 430),
        ("Дата и место рождения", 300),
        ("Адрес регистрации по месту жительства", 440),
        ("Наименование организации-работодателя", 420),
        ("Занимаемая должность", 250),
    ]
    page = []
    for i, (label, width) in enumerate(fields):
        page += [line(label, 50, 100 + 50 * i), line(f"Ответ {i}", 450, 96 + 50 * i, width, 28)]
    assert read(page) == "\n".join(f"{label}\tОтвет {i}" for i, (label, _) in enumerate(fields))


def test_answers_stand_beside_questions_of_several_lines() -> None:
    questions = [
        (["Были ли Вы за границей, где, когда и с", "какой целью"], "не был"),
        (["Имеете ли Вы родственников, постоянно", "проживающих за границей"], "не имею"),
        (["Отношение к воинской обязанности и", "воинское звание"], "военнообязанный, рядовой"),
        (["Домашний адрес (адрес регистрации,", "фактического проживания)"], "г. Тула, Садовая, д. 5, кв. 7"),
    ]
    page = []
    for i, (question, answer) in enumerate(questions):
        page += [line(f"{i + 1}.", 50, 100 + 72 * i), *column(question, 90, 100 + 72 * i)]
        page += [line(answer, 500, 98 + 72 * i)]
    assert read(page) == "\n\n".join(
        f"{i}.\t{question[0]}\t{answer}\n{question[1]}" for i, (question, answer) in enumerate(questions, 1)
    )


CUSTOMER = [
    "ЗАКАЗЧИК",
    "Общество с ограниченной",
    "ответственностью «Ромашка»",
    "Адрес: 115035, г. Москва,",
    "ул. Садовая, д. 5",
    "ИНН 7701234567",
    "КПП 770101001",
]
CONTRACTOR = [
    "ИСПОЛНИТЕЛЬ",
    "ИП Петров Пётр Петрович",
    "Адрес: 190000,",
    "г. Санкт-Петербург,",
    "Невский пр., д. 1",
    "ИНН 7709876543",
]


def test_the_requisites_of_two_parties_are_read_one_after_the_other() -> None:
    clause = wrapped(RUSSIAN, 84, 5)
    page = column(clause, 50, 40) + column(CUSTOMER, 50, 220) + column(CONTRACTOR, 480, 220)
    assert read(page) == text_of(clause, CUSTOMER, CONTRACTOR)


def test_rows_of_a_table_that_begin_alike_are_no_parties() -> None:
    rows = [
        ("Москва, вокзал", "Тула"),
        ("Тула", "Москва, вокзал"),
        ("Москва, порт", "Тверь"),
        ("Тверь", "Москва, порт"),
        ("Тула", "Тверь"),
    ]
    assert read(grid(rows, (50, 350), 50)) == table_text(rows)


@pytest.mark.parametrize("gap_px", [60, 10])
def test_fields_with_the_same_labels_are_no_parties(gap_px: float) -> None:
    """Two pieces a row: each label has its answer beside it."""
    rows = [("Адрес:", "Тула", "Адрес:", "Тверь"), ("Телефон:", "12-34", "Телефон:", "56-78")]
    rows += [("Дата:", "1.05", "Дата:", "2.05"), ("Место:", "Тула", "Место:", "Тверь")]
    answer_px = 8 * LETTER_PX + gap_px
    page = grid(rows, (50, 50 + answer_px, 450, 450 + answer_px), 50)
    assert [region.text for region in reading_order(page)] == [text for row in rows for text in row]


def test_labels_that_two_columns_share_by_chance_make_no_parties() -> None:
    left = ["Адрес", "Тула, 5", "Цель", "Возврат долга", "Дата", "1.05.2024", "Место", "Тула"]
    right = ["Место", "Тверь", "Дата", "2.05.2024", "Цель", "Оплата услуг", "Адрес", "Тверь, 7"]
    page = grid(list(zip(left, right, strict=True)), (50, 450), 50)
    assert [region.text for region in reading_order(page)] == [region.text for region in page]
