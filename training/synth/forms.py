"""Questionnaires and applications: printed labels, answers on rules, in boxes, in combs, ticked options."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from training.synth import vocabulary
from training.synth.layouts import Hand, Line, Mark, MarkKind, Rule, Span
from training.synth.page_source import Desk
from training.synth.typeset import Column, Style, fit, line_box, paragraph, put


@dataclass(frozen=True)
class _Styles:
    label: Style
    answer: Style
    title: Style
    section: Style
    small: Style


def lay_form(desk: Desk) -> None:
    """A page of blocks: heading, sections of fields, options, small print, signature."""
    layout = desk.layout
    styles = _styles(desk)
    left, right = layout.width_px * desk.uniform(0.05, 0.1), layout.width_px * desk.uniform(0.9, 0.95)
    y = layout.mm(desk.uniform(10, 30))
    y = _head(desk, styles, left, right, y)
    bottom = layout.height_px - layout.mm(desk.uniform(15, 60))
    blocks = (_ruled, _boxed, _comb, _options, _small_print)
    main = _ruled if desk.chance(0.5) else _boxed
    while y < bottom:
        draw = main if desk.chance(0.6) else blocks[int(desk.rng.integers(len(blocks)))]
        if desk.chance(0.2):
            put(layout, vocabulary.choose(desk.rng, "sections", desk.language), styles.section, (left, y))
            y += 1.6 * styles.section.size_px
        y = draw(desk, styles, left, right, y, bottom)
    _foot(desk, styles, left, right, min(y, bottom) + layout.mm(6))


def _styles(desk: Desk) -> _Styles:
    base = desk.uniform(8, 11)
    label = desk.printed("text" if desk.chance(0.85) else "typewriter", base)
    if desk.chance(0.68):
        answer = desk.written(desk.uniform(12, 18), neat=0.6)
    else:
        answer = desk.printed("typewriter" if desk.chance(0.5) else "mono", base * desk.uniform(0.95, 1.25))
    if desk.chance(0.3):
        desk.develop(label, ("laser", "book", "fax", "bitmap"))
    if desk.chance(0.4):
        desk.develop(answer, ("pen", "pencil") if answer.hand else ("typewriter", "carbon", "dots"))
    title = Style(desk.face("text"), label.size_px * desk.uniform(1.2, 2.0), label.ink)
    section = Style(desk.face("text"), label.size_px * desk.uniform(1.05, 1.3), label.ink)
    return _Styles(label, answer, title, section, label.sized(desk.uniform(0.7, 0.85)))


def _head(desk: Desk, styles: _Styles, left: float, right: float, y: float) -> float:
    layout, rng = desk.layout, desk.rng
    if desk.chance(0.35):
        size = layout.mm(desk.uniform(12, 25))
        kind = MarkKind.LOGO if desk.chance(0.6) else MarkKind.BARCODE
        wide = size if kind is MarkKind.LOGO else 2.5 * size
        x = left if desk.chance(0.5) else right - wide
        box = (x, y - size * 0.4, x + wide, y + size * 0.6)
        layout.marks.append(Mark(kind, box, int(rng.integers(2**31)), (30, 60, 110)))
        layout.claim(box)
    for _ in range(int(rng.integers(0, 4))):
        source = vocabulary.company if desk.chance(0.4) else vocabulary.address
        text, style = fit(source(rng, desk.language), styles.small, (right - left) * 0.45)
        put(layout, text, style, (right, y), "right")
        y += 1.35 * styles.small.size_px
    text, style = fit(vocabulary.choose(rng, "titles", desk.language), styles.title, right - left)
    y += 1.5 * style.size_px
    put(layout, text, style, ((left + right) / 2, y), "center")
    return y + 1.3 * style.size_px + styles.label.size_px


def _field(desk: Desk) -> tuple[str, str]:
    fields = vocabulary.options("fields", desk.language)
    label, kind = fields[int(desk.rng.integers(len(fields)))]
    return label, "" if desk.chance(0.1) else vocabulary.value(desk.rng, kind, desk.language)


def _ruled(desk: Desk, styles: _Styles, left: float, right: float, y: float, bottom: float) -> float:
    """Label, then a rule with the answer on it; one to three such fields side by side."""
    layout, rng = desk.layout, desk.rng
    columns = int(rng.choice([1, 2, 3], p=[0.55, 0.33, 0.12]))
    pitch = max(1.25 * styles.answer.size_px, 1.5 * styles.label.size_px) * desk.uniform(1.0, 1.35)
    dash = layout.pt(1.5) if desk.chance(0.25) else 0.0
    ruled = desk.chance(0.8)
    for _ in range(int(rng.integers(2, 8))):
        if y > bottom:
            break
        width = (right - left) / columns
        for column in range(columns):
            x0, x1 = left + column * width, left + (column + 1) * width - layout.mm(4)
            label, value = _field(desk)
            text, style = fit(label, styles.label, (x1 - x0) * 0.55)
            used = put(layout, text, style, (x0, y))
            start = x0 + used + max(layout.mm(2), styles.answer.size_px)
            if ruled:
                layout.rules.append(
                    Rule(start, y + 2, x1, y + 2, max(1, layout.pt(0.5)), styles.label.ink, dash)
                )
            if value:
                text, style = fit(value, styles.answer, x1 - start)
                put(layout, text, style, (start, y - desk.uniform(0, 0.12) * style.size_px))
        y += pitch
    return y + 0.4 * pitch


def _boxed(desk: Desk, styles: _Styles, left: float, right: float, y: float, bottom: float) -> float:
    """A grid of frames, the label small in the upper left, the answer under it."""
    layout, rng = desk.layout, desk.rng
    small = styles.small
    height = 1.35 * small.size_px + 1.4 * styles.answer.size_px
    width = max(1, layout.pt(desk.uniform(0.4, 1.2)))
    for _ in range(int(rng.integers(1, 6))):
        if y + height > bottom + layout.mm(8):
            break
        cuts = [0.0, *sorted(rng.uniform(0.2, 0.8, int(rng.integers(0, 3)))), 1.0]
        for start, end in itertools.pairwise(cuts):
            x0, x1 = left + start * (right - left), left + end * (right - left)
            top = y - 0.2 * height
            corners = ((x0, top), (x1, top), (x1, top + height), (x0, top + height))
            for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
                layout.rules.append(Rule(ax, ay, bx, by, width, small.ink))
            label, value = _field(desk)
            pad = layout.mm(1)
            text, style = fit(label, small, x1 - x0 - 2 * pad)
            if style.width(text) <= x1 - x0 - pad:
                put(layout, text, style, (x0 + pad, top + 1.0 * small.size_px))
            text, style = fit(value, styles.answer, x1 - x0 - 3 * pad)
            if text and style.width(text) <= x1 - x0 - 2 * pad:
                put(layout, text, style, (x0 + 2 * pad, top + height - 0.35 * styles.answer.size_px))
        y += height
    return y + styles.label.size_px


def _comb(desk: Desk, styles: _Styles, left: float, right: float, y: float, bottom: float) -> float:
    """A label and a row of cells, one character in each."""
    layout = desk.layout
    label, value = _field(desk)
    text, style = fit(label, styles.label, (right - left) * 0.35)
    used = put(layout, text, style, (left, y))
    cell = layout.mm(desk.uniform(4.5, 6))
    x = left + used + layout.mm(3)
    count = int((right - x) // cell)
    answer = styles.answer.sized(min(1.0, 0.85 * cell / styles.answer.size_px))
    value = answer.clean(value.upper())[:count].strip()
    top, ink, thin = y - 0.78 * cell, styles.label.ink, max(1, layout.pt(0.4))
    for edge in (top, top + cell):
        layout.rules.append(Rule(x, edge, x + count * cell, edge, thin, ink))
    for index in range(count + 1):
        layout.rules.append(Rule(x + index * cell, top, x + index * cell, top + cell, thin, ink))
    spans = tuple(
        Span(c, answer.face, max(4, round(answer.size_px)), x + (i + 0.5) * cell - answer.width(c) / 2)
        for i, c in enumerate(value)
        if c != " "
    )
    if spans:
        line = Line(
            value, spans, y, answer.kind, answer.ink, answer.hand and Hand(seed=int(x + y), jitter=0.02)
        )
        layout.place(line, line_box(line))
    return y + cell * 1.6


def _options(desk: Desk, styles: _Styles, left: float, right: float, y: float, bottom: float) -> float:
    """A question and options with boxes, some ticked by pen."""
    layout, rng = desk.layout, desk.rng
    text, style = fit(_field(desk)[0], styles.label, (right - left) * 0.4)
    x = left + put(layout, text, style, (left, y)) + layout.mm(5)
    side = styles.label.size_px * 0.85
    for _ in range(int(rng.integers(2, 5))):
        option = vocabulary.choose(rng, "options", desk.language)
        width = side * 1.5 + styles.label.width(option)
        if x + width > right:
            break
        corners = ((x, y - side), (x + side, y - side), (x + side, y), (x, y))
        for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
            layout.rules.append(Rule(ax, ay, bx, by, max(1, layout.pt(0.5)), styles.label.ink))
        if desk.chance(0.35):
            box = (x - side * 0.1, y - side * 1.3, x + side * 1.3, y + side * 0.1)
            layout.marks.append(
                Mark(MarkKind.TICK, box, int(rng.integers(2**31)), layout.inks[styles.answer.ink].colour)
            )
        put(layout, option, styles.label, (x + side * 1.5, y))
        x += width + layout.mm(desk.uniform(6, 12))
    return y + 1.8 * styles.label.size_px


def _small_print(desk: Desk, styles: _Styles, left: float, right: float, y: float, bottom: float) -> float:
    words = desk.words(int(desk.rng.integers(15, 70)))
    column = Column(left, right - left, styles.small.size_px * desk.uniform(1.12, 1.35), desk.chance(0.5))
    return paragraph(desk.layout, words, styles.small, column, y, bottom) + 0.8 * styles.label.size_px


def _foot(desk: Desk, styles: _Styles, left: float, right: float, y: float) -> None:
    layout, rng = desk.layout, desk.rng
    if y > layout.height_px - layout.mm(8):
        return
    used = put(layout, "Подпись" if desk.language == "ru" else "Signature", styles.label, (left, y))
    start = left + used + layout.mm(2)
    layout.rules.append(
        Rule(start, y + 2, start + layout.mm(45), y + 2, max(1, layout.pt(0.5)), styles.label.ink)
    )
    pen = layout.inks[styles.answer.ink].colour
    if desk.chance(0.7):
        box = (start, y - layout.mm(8), start + layout.mm(40), y + layout.mm(3))
        layout.marks.append(Mark(MarkKind.SIGNATURE, box, int(rng.integers(2**31)), pen))
    put(layout, vocabulary.date(rng, desk.language), styles.answer, (right, y), "right")
    if desk.chance(0.4):
        size = layout.mm(desk.uniform(28, 42))
        x = left + desk.uniform(0.3, 0.7) * (right - left)
        layout.marks.append(
            Mark(
                MarkKind.STAMP,
                (x, y - size * 0.7, x + size, y + size * 0.3),
                int(rng.integers(2**31)),
                (60, 70, 170),
            )
        )
