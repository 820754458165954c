"""Pages of books, manuals and articles: headings, prose, lists, code, tables, footnotes, columns."""

from __future__ import annotations

from dataclasses import dataclass

from training.synth import vocabulary
from training.synth.layouts import Mark, MarkKind, Panel, Rule
from training.synth.page_source import Desk
from training.synth.tables import lay_table_block
from training.synth.typeset import Column, Style, break_lines, fit, line_box, mixed, paragraph, put


@dataclass(frozen=True)
class _Book:
    body: Style
    bold: Style
    code: Style
    heading: Style
    note: Style
    leading: float
    justify: bool
    indent: float
    gap: float


def lay_book(desk: Desk) -> None:
    """One or two columns between a running head and footnotes; now and then almost empty."""
    layout = desk.layout
    book = _book(desk)
    left, right = layout.width_px * desk.uniform(0.06, 0.13), layout.width_px * desk.uniform(0.87, 0.94)
    top, bottom = layout.height_px * desk.uniform(0.05, 0.1), layout.height_px * desk.uniform(0.88, 0.95)
    top = _running_head(desk, book, left, right, top)
    bottom = _page_foot(desk, book, left, right, bottom)
    columns = 2 if desk.chance(0.22) else 3 if desk.chance(0.03) else 1
    gutter = layout.mm(desk.uniform(5, 9))
    width = (right - left - gutter * (columns - 1)) / columns
    if columns > 1:
        top = _heading(desk, book, Column(left, right - left, book.leading), top, bottom)
    filled = desk.uniform(0.05, 0.4) if desk.chance(0.15) else 1.0
    for index in range(columns):
        column = Column(left + index * (width + gutter), width, book.leading, book.justify, book.indent)
        end = top + (bottom - top) * filled
        end = _footnotes(desk, book, column, end) if desk.chance(0.25) else end
        _fill_column(desk, book, column, top, end)


def _book(desk: Desk) -> _Book:
    body = desk.printed("text", desk.uniform(8, 12.5))
    if desk.chance(0.3):
        desk.develop(body, ("laser", "book", "book", "fax"))
    size, ink = body.size_px, body.ink
    leading = size * desk.uniform(1.12, 1.55)
    justify = desk.chance(0.7)
    return _Book(
        body=body,
        bold=Style(desk.face("text"), size, ink),
        code=Style(desk.face("mono"), size * desk.uniform(0.85, 1.0), ink),
        heading=Style(
            desk.face("text" if desk.chance(0.85) else "display"), size * desk.uniform(1.15, 1.9), ink
        ),
        note=body.sized(desk.uniform(0.72, 0.85)),
        leading=leading,
        justify=justify,
        indent=size * 2 if desk.chance(0.5) else 0.0,
        gap=leading * desk.uniform(0.1, 0.9),
    )


def _running_head(desk: Desk, book: _Book, left: float, right: float, y: float) -> float:
    if desk.chance(0.3):
        return y + book.body.size_px
    text, style = fit(
        " ".join(desk.words(int(desk.rng.integers(2, 6)))), book.note.sized(1.1), (right - left) * 0.7
    )
    number = f"{desk.rng.integers(1, 400)}" + (" / 63" if desk.chance(0.2) else "")
    if desk.chance(0.6):
        put(desk.layout, text, style, (left, y))
        put(desk.layout, number, style, (right, y), "right")
    else:
        put(
            desk.layout,
            text if desk.chance(0.5) else f"– {number} –",
            style,
            ((left + right) / 2, y),
            "center",
        )
    if desk.chance(0.5):
        below = y + 0.5 * style.size_px
        desk.layout.rules.append(Rule(left, below, right, below, max(1, desk.layout.pt(0.5)), style.ink))
    return y + desk.uniform(2, 4) * book.leading


def _page_foot(desk: Desk, book: _Book, left: float, right: float, y: float) -> float:
    if desk.chance(0.5):
        put(desk.layout, str(desk.rng.integers(1, 999)), book.note, ((left + right) / 2, y), "center")
    if desk.chance(0.3):
        line = y - 1.5 * book.leading
        desk.layout.rules.append(Rule(left, line, right, line, max(1, desk.layout.pt(0.5)), book.body.ink))
    return y - 2 * book.leading


def _footnotes(desk: Desk, book: _Book, column: Column, bottom: float) -> float:
    count = int(desk.rng.integers(1, 4))
    top = bottom - count * 2.2 * book.note.size_px
    line = top - 1.1 * book.note.size_px
    thin = max(1, desk.layout.pt(0.5))
    desk.layout.rules.append(
        Rule(column.x_px, line, column.x_px + 0.35 * column.width_px, line, thin, book.body.ink)
    )
    y = top
    notes = Column(column.x_px, column.width_px, book.note.size_px * 1.15, column.justify, book.note.size_px)
    for number in range(1, count + 1):
        words = [str(number), *desk.words(int(desk.rng.integers(4, 22)))]
        y = paragraph(desk.layout, words, book.note, notes, y, bottom)
    return line - book.leading


def _fill_column(desk: Desk, book: _Book, column: Column, top: float, bottom: float) -> None:
    y = top
    blocks = (_prose, _mixed_prose, _list, _code, _heading, _table, _figure)
    weights = (0.5, 0.12, 0.1, 0.08, 0.12, 0.04, 0.04)
    while y < bottom:
        block = blocks[int(desk.rng.choice(len(blocks), p=weights))]
        y = block(desk, book, column, y, bottom)


def _prose(desk: Desk, book: _Book, column: Column, y: float, bottom: float) -> float:
    words = desk.words(int(desk.rng.integers(12, 110)))
    return paragraph(desk.layout, words, book.body, column, y, bottom) + book.gap


def _mixed_prose(desk: Desk, book: _Book, column: Column, y: float, bottom: float) -> float:
    """Prose with file names and terms in another face inside the lines."""
    words = [book.body.clean(w) for w in desk.words(int(desk.rng.integers(12, 60)))]
    for row in break_lines([w for w in words if w], book.body, column.width_px * 0.93):
        if y > bottom:
            break
        styles = [
            book.body if desk.chance(0.8) else book.code if desk.chance(0.6) else book.bold for _ in row
        ]
        line = mixed(list(zip(row, styles, strict=True)), column.x_px, y)
        if line.spans:
            desk.layout.place(line, line_box(line))
        y += column.leading_px
    return y + book.gap


def _list(desk: Desk, book: _Book, column: Column, y: float, bottom: float) -> float:
    bullet = vocabulary.pick(desk.rng, "• - * – n) n.")
    inset = book.body.size_px * desk.uniform(1.5, 3)
    inner = Column(column.x_px + inset, column.width_px - inset, column.leading_px, column.justify)
    for number in range(1, int(desk.rng.integers(3, 8))):
        if y > bottom:
            break
        words = desk.words(int(desk.rng.integers(2, 25)))
        # The bullet stands within two letters of its text: both are one line.
        words = [bullet.replace("n", str(number)), *words]
        y = paragraph(desk.layout, words, book.body, inner, y, bottom)
    return y + book.gap


def _code(desk: Desk, book: _Book, column: Column, y: float, bottom: float) -> float:
    leading = book.code.size_px * desk.uniform(1.05, 1.3)
    rows = min(int(desk.rng.integers(1, 14)), int((bottom - y) // leading))
    if rows < 1:
        return bottom + 1
    if desk.chance(0.6):
        level = int(desk.rng.integers(215, 246))
        box = (column.x_px, y - 1.2 * leading, column.x_px + column.width_px, y + (rows - 0.4) * leading)
        desk.layout.panels.append(Panel(box, (level, level, level)))
    numbered = desk.chance(0.3)
    for number in range(1, rows + 1):
        pattern = vocabulary.choose(desk.rng, "code", "en")
        text = pattern.format(
            w=vocabulary.choose(desk.rng, "code_words", "en"), n=int(desk.rng.integers(0, 99))
        )
        indent = (len(text) - len(text.lstrip())) * book.code.width(" ")
        text = f"{number} {text.strip()}" if numbered else text
        fitted, style = fit(text, book.code, column.width_px - indent, smallest=1.0)
        put(desk.layout, fitted, style, (column.x_px + (0 if numbered else indent), y))
        y += leading
    return y + book.gap + 0.3 * leading


def _heading(desk: Desk, book: _Book, column: Column, y: float, bottom: float) -> float:
    style = book.heading.sized(desk.uniform(0.75, 1.3))
    words = desk.words(int(desk.rng.integers(1, 7)))
    if desk.chance(0.4):
        words = [f"{desk.rng.integers(1, 12)}.{desk.rng.integers(1, 9)}", *words]
    if desk.chance(0.2):
        words = [w.upper() for w in words]
    y += 0.7 * style.size_px
    if y + style.size_px > bottom:
        return bottom + 1
    text, style = fit(" ".join(words), style, column.width_px)
    centred = desk.chance(0.3)
    x = column.x_px + (column.width_px / 2 if centred else 0)
    wide = put(desk.layout, text, style, (x, y), "center" if centred else "left")
    if wide and desk.chance(0.12):
        start = x - wide / 2 if centred else x
        under = y + 0.18 * style.size_px
        desk.layout.rules.append(
            Rule(start, under, start + wide, under, max(1, desk.layout.pt(0.7)), style.ink)
        )
    elif wide and desk.chance(0.06):
        box = (column.x_px - 4, y - style.size_px, column.x_px + column.width_px + 4, y + 0.4 * style.size_px)
        desk.layout.panels.append(Panel(box, (40, 50, 70), negative=True))
    return y + style.size_px * 0.5 + column.leading_px


def _table(desk: Desk, book: _Book, column: Column, y: float, bottom: float) -> float:
    style = book.note if desk.chance(0.5) else book.body
    return lay_table_block(desk, style, (column.x_px, y, column.x_px + column.width_px, bottom)) + book.gap


def _figure(desk: Desk, book: _Book, column: Column, y: float, bottom: float) -> float:
    height = column.width_px * desk.uniform(0.25, 0.7)
    top = y - book.body.size_px
    if top + height + 2 * book.leading > bottom:
        return y + book.gap
    box = (column.x_px, top, column.x_px + column.width_px * desk.uniform(0.5, 1.0), top + height)
    if desk.layout.is_free(box):
        desk.layout.claim(box)
        desk.layout.marks.append(Mark(MarkKind.PHOTO, box, int(desk.rng.integers(2**31))))
    text, style = fit(" ".join(desk.words(6)), book.note, column.width_px)
    put(desk.layout, text, style, (column.x_px, top + height + book.leading))
    return top + height + 3 * book.leading
