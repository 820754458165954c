"""Letters by hand and typescripts: letterheads, loose lines, page numbers, corrections with a pen."""

from __future__ import annotations

from dataclasses import replace

from training.synth import vocabulary
from training.synth.layouts import Mark, MarkKind, Rule
from training.synth.notes import rule_notebook
from training.synth.page_source import Desk
from training.synth.palette import print_ink
from training.synth.typeset import Column, Style, break_lines, fit, paragraph, put


def lay_letter(desk: Desk) -> None:
    """A handwritten page: letterhead or date, opening, lines that rise and touch, a closing."""
    layout = desk.layout
    per_line = desk.uniform(13, 42)
    style = _hand_for(desk, layout.width_px * desk.uniform(0.75, 0.95) / per_line)
    pitch = style.size_px * desk.uniform(0.85, 1.5)
    left, right = layout.width_px * desk.uniform(0.03, 0.16), layout.width_px * desk.uniform(0.88, 0.99)
    y = layout.height_px * desk.uniform(0.02, 0.1)
    if desk.chance(0.45):
        y = _letterhead(desk, left, right, y)
    y = max(y, 0.0) + style.size_px
    if desk.chance(0.7):
        y = _dateline(desk, style, left, right, y, pitch)
    if desk.chance(0.15):
        rule_notebook(desk, pitch, y)
    if desk.chance(0.6):
        _scrawl(desk, style, vocabulary.choose(desk.rng, "openings", desk.language), left, y, right)
        y += pitch
    bottom = layout.height_px * (desk.uniform(0.25, 0.8) if desk.chance(0.25) else desk.uniform(0.86, 0.97))
    y = _body(desk, style, left, right, y, bottom, pitch)
    if desk.chance(0.5) and y + 2 * pitch < layout.height_px * 0.98:
        x = left + desk.uniform(0.3, 0.55) * (right - left)
        _scrawl(desk, style, vocabulary.choose(desk.rng, "closings", desk.language), x, y, right)
        _scrawl(
            desk,
            style,
            vocabulary.person(desk.rng, desk.language),
            x + 0.05 * layout.width_px,
            y + pitch,
            right,
        )
    if desk.chance(0.25):
        pencil = style.sized(desk.uniform(0.4, 0.8))
        put(
            layout,
            f"[{desk.rng.integers(1, 200)}]",
            pencil,
            (right - 3 * pencil.size_px, 1.3 * pencil.size_px),
        )


def _hand_for(desk: Desk, advance_px: float) -> Style:
    style = desk.written(20, neat=desk.uniform(0, 0.6))
    sample = "an average line of words" if desk.language == "en" else "обычная строка из слов"
    return style.sized(advance_px * len(sample) / max(1.0, style.width(sample)))


def _scrawl(desk: Desk, style: Style, text: str, x: float, y: float, right: float) -> None:
    text, style = fit(text, style, right - x, smallest=0.8)
    put(desk.layout, text, style, (x, y), tight=True)


def _letterhead(desk: Desk, left: float, right: float, y: float) -> float:
    group = "display" if desk.chance(0.35) else "text"
    style = desk.printed(group, desk.uniform(9, 16), print_ink(desk.rng, coloured=0.4))
    small = Style(desk.face("text"), style.size_px * desk.uniform(0.5, 0.75), style.ink)
    where = vocabulary.pick(desk.rng, "left center right")
    x = {"left": left, "center": (left + right) / 2, "right": right}[where]
    rows = [(vocabulary.company(desk.rng, desk.language), style)]
    rows += [
        (part, small)
        for part in vocabulary.address(desk.rng, desk.language).split(", ")[: desk.rng.integers(1, 4)]
    ]
    for text, this in rows:
        text, this = fit(text.upper() if desk.chance(0.4) else text, this, (right - left) * 0.9)
        y += 1.3 * this.size_px
        put(desk.layout, text, this, (x, y), where)
    return y + style.size_px


def _dateline(desk: Desk, style: Style, left: float, right: float, y: float, pitch: float) -> float:
    for text in (vocabulary.city(desk.rng, desk.language), vocabulary.date(desk.rng, desk.language)):
        if desk.chance(0.75):
            _scrawl(desk, style, text, left + desk.uniform(0.35, 0.65) * (right - left), y, right)
            y += pitch
    return y


def _body(
    desk: Desk, style: Style, left: float, right: float, y: float, bottom: float, pitch: float
) -> float:
    drift, margin, row_number = desk.uniform(-0.004, 0.008), left, 0
    while y < bottom:
        words = [w for raw in desk.words(int(desk.rng.integers(15, 70))) if (w := style.clean(raw))]
        indent = desk.uniform(0, 0.25) * (right - left) if desk.chance(0.6) else 0.0
        for row in break_lines(words, style, (right - left) * 0.97, indent):
            if y > bottom:
                break
            start = margin + indent + desk.uniform(-0.01, 0.02) * (right - left)
            lean = replace(style, hand=style.hand and replace(
                style.hand, slope_deg=style.hand.slope_deg + float(desk.rng.normal(0, 0.5))
            ))  # fmt: skip
            text, lean = fit(" ".join(row), lean, right - start, smallest=0.9)
            put(desk.layout, text, lean, (max(1.0, start), y), tight=True)
            if desk.chance(0.03):
                _cross_out(desk, style, start, right, y)
            indent, row_number = 0.0, row_number + 1
            margin = left + drift * row_number * (right - left)
            y += pitch * desk.uniform(0.93, 1.07)
    return y


def _cross_out(desk: Desk, style: Style, left: float, right: float, y: float) -> None:
    x = desk.uniform(left, left + 0.7 * (right - left))
    box = (x, y - 0.35 * style.size_px, x + 3 * style.size_px, y - 0.1 * style.size_px)
    desk.layout.marks.append(
        Mark(MarkKind.STRIKE, box, int(desk.rng.integers(2**31)), desk.layout.inks[style.ink].colour)
    )


def lay_typescript(desk: Desk) -> None:
    """Typewriting in one size, single to double spacing, a number on top, now and then a pen."""
    layout = desk.layout
    columns = desk.uniform(52, 78)
    left, right = layout.width_px * desk.uniform(0.08, 0.2), layout.width_px * desk.uniform(0.86, 0.96)
    style = desk.printed("typewriter", 12, print_ink(desk.rng, coloured=0.3))
    style = style.sized((right - left) / columns * 12 / max(1.0, style.width("abcdefghij12")))
    if desk.chance(0.7):
        desk.develop(style, ("typewriter", "typewriter", "carbon", "fax"))
    pitch = style.size_px * float(desk.rng.choice([1.0, 1.12, 1.5, 2.0], p=[0.2, 0.25, 0.25, 0.3]))
    y = layout.height_px * desk.uniform(0.03, 0.1)
    if desk.chance(0.65):
        number = vocabulary.pick(desk.rng, "-n- n/ n. Page_n -_n_- стр._n").replace("_", " ")
        put(
            layout,
            number.replace("n", str(desk.rng.integers(2, 40))),
            style,
            (desk.uniform(0.45, 0.8) * layout.width_px, y),
        )
        y += desk.uniform(2, 4) * style.size_px
    elif desk.chance(0.5):
        y = _letterhead(desk, left, right, y) + style.size_px
    if desk.chance(0.35):
        y = _typed_address(desk, style, left, right, y, pitch)
    bottom = layout.height_px * (desk.uniform(0.3, 0.8) if desk.chance(0.25) else desk.uniform(0.88, 0.97))
    column = Column(left, right - left, pitch, False, style.width("     ") if desk.chance(0.8) else 0.0)
    while y < bottom:
        if desk.chance(0.1):
            text, this = fit(" ".join(desk.words(4)).upper(), style, right - left)
            centre, wide = (left + right) / 2, put(layout, text, this, ((left + right) / 2, y), "center")
            if wide and desk.chance(0.5):
                under = y + 0.2 * this.size_px
                layout.rules.append(
                    Rule(centre - wide / 2, under, centre + wide / 2, under, layout.pt(0.8), this.ink)
                )
            y += pitch * 1.3
        y = paragraph(layout, desk.words(int(desk.rng.integers(20, 120))), style, column, y, bottom)
        y += pitch * desk.uniform(0, 1.0)
    if desk.chance(0.3):
        put(
            layout,
            vocabulary.choose(desk.rng, "closings", desk.language),
            style,
            ((left + right) / 2, y + pitch),
        )
    _corrections(desk, style, left, right)


def _typed_address(desk: Desk, style: Style, left: float, right: float, y: float, pitch: float) -> float:
    put(desk.layout, vocabulary.date(desk.rng, desk.language), style, (right, y), "right")
    y += 2 * pitch
    rows = (
        vocabulary.person(desk.rng, desk.language),
        *vocabulary.address(desk.rng, desk.language).split(", ")[:3],
    )
    step = desk.uniform(0, 3) * style.size_px
    for index, text in enumerate(rows):
        put(desk.layout, text, style, (left + index * step, y))
        y += pitch
    y += pitch
    put(desk.layout, vocabulary.choose(desk.rng, "openings", desk.language), style, (left, y))
    return y + 1.5 * pitch


def _corrections(desk: Desk, style: Style, left: float, right: float) -> None:
    layout = desk.layout
    if desk.chance(0.4):
        return
    pen = desk.written(desk.uniform(12, 20), neat=0.4)
    for _ in range(int(desk.rng.integers(0, 4))):
        x, y = desk.uniform(0.02, 0.8) * layout.width_px, desk.uniform(0.03, 0.97) * layout.height_px
        count = int(desk.rng.integers(1, 4))
        text, this = fit(" ".join(desk.words(count)), pen, layout.width_px - x - 10)
        put(layout, text, this, (x, y))
    for _ in range(int(desk.rng.integers(0, 3))):
        _cross_out(desk, style, left, right, desk.uniform(0.1, 0.9) * layout.height_px)
    if desk.chance(0.3):
        size = layout.mm(desk.uniform(8, 16))
        x, y = desk.uniform(0.1, 0.9) * layout.width_px, desk.uniform(0.01, 0.06) * layout.height_px
        layout.marks.append(
            Mark(MarkKind.TICK, (x, y, x + size, y + size), int(desk.rng.integers(2**31)), (50, 50, 60))
        )
