"""Till receipts and invoices: narrow, one face, prices to the right as lines of their own."""

from __future__ import annotations

from collections.abc import Sequence

from training.synth import vocabulary
from training.synth.layouts import Mark, MarkKind, Rule
from training.synth.page_source import Desk
from training.synth.typeset import Style, fit, put


def lay_receipt(desk: Desk) -> None:
    """Heading centred, items with quantity and price, totals, a greeting at the foot."""
    layout = desk.layout
    columns = desk.uniform(30, 44)
    pad = layout.width_px * desk.uniform(0.03, 0.12)
    left, right = pad, layout.width_px - pad * desk.uniform(0.6, 1.2)
    style = _body(desk, (right - left) / columns)
    pitch = style.size_px * desk.uniform(0.95, 1.35)
    y = layout.height_px * desk.uniform(0.01, 0.12) + style.size_px
    y = _heading(desk, style, left, right, y, pitch)
    y = _items(desk, style, left, right, y, pitch)
    y = _totals(desk, style, left, right, y, pitch)
    _foot(desk, style, left, right, y + pitch, pitch)
    _litter(desk, left, right)


def _body(desk: Desk, advance_px: float) -> Style:
    group = "receipt" if desk.chance(0.6) else "mono" if desk.chance(0.4) else "text"
    style = desk.printed(group, 10)
    factor = advance_px * 10 / max(1.0, style.width("0123456789"))
    style = style.sized(factor * desk.uniform(0.9, 1.15))
    if desk.chance(0.45):
        desk.develop(style, ("thermal", "dots", "bitmap", "thermal", "fax"))
    return style


def _fill(desk: Desk, pattern: str) -> str:
    rng = desk.rng
    return pattern.format(
        n=vocabulary.digits(rng, int(rng.integers(3, 7))),
        i=vocabulary.digits(rng, int(rng.integers(8, 13))),
        p=vocabulary.person(rng, desk.language),
    )


def _row(desk: Desk, style: Style, cells: Sequence[tuple[str, float, str]], y: float) -> None:
    """Cells of one row: text, x and alignment each. What would collide is left out."""
    for text, x, align in cells:
        put(desk.layout, text, style, (x, y), align)


def _rule(desk: Desk, style: Style, left: float, right: float, y: float) -> None:
    dash = desk.layout.pt(desk.uniform(1.5, 4)) if desk.chance(0.75) else 0.0
    y -= 0.3 * style.size_px
    desk.layout.rules.append(Rule(left, y, right, y, max(1.0, desk.layout.pt(0.7)), style.ink, dash))


def _heading(desk: Desk, style: Style, left: float, right: float, y: float, pitch: float) -> float:
    layout, rng, language = desk.layout, desk.rng, desk.language
    centre = (left + right) / 2
    if desk.chance(0.2):
        size = (right - left) * desk.uniform(0.2, 0.45)
        box = (centre - size / 2, y, centre + size / 2, y + size * 0.6)
        layout.marks.append(Mark(MarkKind.LOGO, box, int(rng.integers(2**31))))
        y += size * 0.6 + 2 * pitch
    lines = [vocabulary.company(rng, language), *vocabulary.address(rng, language).split(", ")]
    lines += [
        _fill(desk, vocabulary.choose(rng, "receipt_heads", language)) for _ in range(int(rng.integers(2, 7)))
    ]
    upper, align = desk.chance(0.6), "center" if desk.chance(0.8) else "left"
    for index, text in enumerate(lines):
        this = style.sized(desk.uniform(1.1, 1.8)) if index == 0 and desk.chance(0.6) else style
        text, this = fit(text.upper() if upper else text, this, right - left)
        y += this.size_px - style.size_px
        put(layout, text, this, (centre if align == "center" else left, y), align)
        y += pitch
    y += 0.5 * pitch
    stamp = (
        vocabulary.date(rng, language),
        f"{rng.integers(0, 24):02}:{rng.integers(0, 60):02}:{rng.integers(0, 60):02}",
    )
    if desk.chance(0.5):
        _row(desk, style, ((stamp[0], left, "left"), (stamp[1], right, "right")), y)
    else:
        label = "Дата" if language == "ru" else "Date"
        _row(
            desk,
            style,
            ((label, left, "left"), (f": {' '.join(stamp)}", left + 0.3 * (right - left), "left")),
            y,
        )
    return y + pitch


def _items(desk: Desk, style: Style, left: float, right: float, y: float, pitch: float) -> float:
    rng, language, width = desk.rng, desk.language, right - left
    _rule(desk, style, left, right, y)
    y += pitch
    stops = (left + width * desk.uniform(0.45, 0.55), left + width * desk.uniform(0.66, 0.76), right)
    if desk.chance(0.5):
        heads = ("Товар", "Кол", "Цена", "Сумма") if language == "ru" else ("ITEM", "QTY", "U/P", "AMOUNT")
        cells = [(heads[0], left, "left"), *((h, s, "right") for h, s in zip(heads[1:], stops, strict=True))]
        _row(desk, style, cells, y)
        y += pitch
        _rule(desk, style, left, right, y)
        y += pitch
    two_rows, coded, tax = desk.chance(0.55), desk.chance(0.3), desk.chance(0.25)
    end = desk.layout.height_px * desk.uniform(0.4, 0.75)
    for _ in range(int(rng.integers(2, 32))):
        if y > end:
            break
        name = (
            f"{vocabulary.digits(rng, 7)} {vocabulary.goods(rng, language)}"
            if coded
            else vocabulary.goods(rng, language)
        )
        name = name if desk.chance(0.3) else name.upper()
        figures = (str(rng.integers(1, 9)), vocabulary.price(rng, language), vocabulary.price(rng, language))
        if tax:
            figures = (*figures[:2], figures[2] + " SR")
        prices = [(f, s, "right") for f, s in zip(figures, stops, strict=True)]
        room = width if two_rows else stops[0] - left - 3.5 * style.size_px
        text, this = fit(name, style, room, smallest=1.0)
        put(desk.layout, text, this, (left, y))
        if two_rows:
            y += pitch
        _row(desk, style, prices, y)
        y += pitch
    _rule(desk, style, left, right, y)
    return y + pitch


def _totals(desk: Desk, style: Style, left: float, right: float, y: float, pitch: float) -> float:
    rng = desk.rng
    indented = desk.chance(0.4)
    edge = right - 0.28 * (right - left)
    for _ in range(int(rng.integers(3, 11))):
        big = style.sized(desk.uniform(1.1, 1.5)) if desk.chance(0.2) else style
        label = vocabulary.choose(rng, "totals", desk.language) + (" :" if desk.chance(0.3) else "")
        text, this = fit(label, big, edge - left)
        y += this.size_px - style.size_px
        put(desk.layout, text, this, (edge, y) if indented else (left, y), "right" if indented else "left")
        put(desk.layout, vocabulary.price(rng, desk.language), this, (right, y), "right")
        y += pitch
    return y


def _foot(desk: Desk, style: Style, left: float, right: float, y: float, pitch: float) -> None:
    rng = desk.rng
    if desk.chance(0.6):
        _rule(desk, style, left, right, y)
        y += pitch
    for _ in range(int(rng.integers(1, 5))):
        text, this = fit(
            _fill(desk, vocabulary.choose(rng, "receipt_feet", desk.language)), style, right - left
        )
        put(desk.layout, text, this, ((left + right) / 2, y), "center")
        y += pitch * desk.uniform(1.0, 1.5)
    if desk.chance(0.3) and y < desk.layout.height_px - 6 * pitch:
        kind = MarkKind.QR if desk.chance(0.5) else MarkKind.BARCODE
        side = (right - left) * desk.uniform(0.25, 0.4)
        x = (left + right) / 2 - side * (0.5 if kind is MarkKind.QR else 0.9)
        wide = side if kind is MarkKind.QR else side * 1.8
        box = (x, y, x + wide, y + side * (1.0 if kind is MarkKind.QR else 0.4))
        desk.layout.marks.append(Mark(kind, box, int(rng.integers(2**31)), (15, 15, 15)))


def _litter(desk: Desk, left: float, right: float) -> None:
    """A note or a stroke of the pen; a scribble is no line of text."""
    layout, rng = desk.layout, desk.rng
    if desk.chance(0.15):
        pen = desk.written(desk.uniform(14, 22), neat=0.3)
        text, style = fit(vocabulary.answer(rng, desk.language), pen, (right - left) * 0.5)
        put(
            layout,
            text,
            style,
            (left + desk.uniform(0, 0.4) * (right - left), layout.height_px * desk.uniform(0.02, 0.97)),
        )
    if desk.chance(0.25):
        size = (right - left) * desk.uniform(0.1, 0.4)
        x, top = desk.uniform(left, right - size), desk.uniform(0.05, 0.9) * layout.height_px
        box = (x, top, x + size, top + size * 0.6)
        layout.marks.append(Mark(MarkKind.SCRIBBLE, box, int(rng.integers(2**31)), (40, 40, 60)))
