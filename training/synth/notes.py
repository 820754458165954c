"""Small sheets: slips, labels, cuttings and notebook leaves with a few lines, or a single one."""

from __future__ import annotations

from training.synth import vocabulary
from training.synth.layouts import Ink, Panel, Rule
from training.synth.page_source import Desk
from training.synth.typeset import HANDWRITTEN, Column, Style, fit, paragraph, put

_RULINGS = ((150, 180, 220), (170, 190, 200), (190, 170, 200), (160, 160, 170), (120, 160, 210))


def rule_notebook(desk: Desk, pitch: float, first: float) -> None:
    """Feint lines or squares under handwriting, sometimes with a red margin."""
    layout = desk.layout
    colour = _RULINGS[int(desk.rng.integers(len(_RULINGS)))]
    ink = layout.add_ink(Ink(colour, opacity=desk.uniform(0.4, 0.9)))
    squared = desk.chance(0.5)
    step = layout.mm(5) if squared else pitch
    offset = desk.uniform(0.0, 0.2) * pitch
    rows = int((layout.height_px - first) / step) + 2
    for row in range(-int(first / step), rows):
        y = first + offset + row * step
        layout.rules.append(Rule(0, y, layout.width_px, y, 1.0, ink))
    if squared:
        for column in range(int(layout.width_px / step) + 1):
            x = column * step + offset
            layout.rules.append(Rule(x, 0, x, layout.height_px, 1.0, ink))
    if desk.chance(0.4):
        red = layout.add_ink(Ink((220, 110, 110), opacity=0.7))
        x = layout.width_px * (0.88 if desk.chance(0.6) else 0.1)
        layout.rules.append(Rule(x, 0, x, layout.height_px, 1.0, red))


def lay_note(desk: Desk) -> None:
    """One to nine lines that fill a small sheet, printed or by hand."""
    layout = desk.layout
    rows = int(desk.rng.choice([1, 2, 3, 4, 6, 9], p=[0.3, 0.2, 0.15, 0.15, 0.1, 0.1]))
    pitch = layout.height_px / (rows + desk.uniform(0.3, 1.5))
    size = pitch * desk.uniform(0.5, 0.8)
    if desk.chance(0.65):
        style = desk.written(10, neat=desk.uniform(0, 0.9))
    else:
        style = desk.printed("text" if desk.chance(0.7) else "display", 10)
    style = style.sized(size / style.size_px)
    margin = layout.width_px * desk.uniform(0.02, 0.12)
    y = (layout.height_px - rows * pitch) / 2 + 0.75 * pitch
    if style.kind == HANDWRITTEN and desk.chance(0.35):
        rule_notebook(desk, pitch, y)
    centred = desk.chance(0.2)
    for _ in range(rows):
        text, this = fit(
            _text(desk, style, layout.width_px - 2 * margin), style, layout.width_px - 2 * margin
        )
        x = layout.width_px / 2 if centred else margin + desk.uniform(0, 0.05) * layout.width_px
        put(layout, text, this, (x, y), "center" if centred else "left", tight=True)
        y += pitch
    if style.kind != HANDWRITTEN and desk.chance(0.15):
        colour = tuple(int(v) for v in desk.rng.integers(0, 90, 3))
        box = (0.0, 0.0, float(layout.width_px), float(layout.height_px))
        layout.panels.append(Panel(box, (colour[0], colour[1], colour[2]), negative=True))


def _text(desk: Desk, style: Style, width_px: float) -> str:
    """Words that about fill a share of the width; now and then one value."""
    if desk.chance(0.25):
        kinds = tuple(vocabulary.VALUES)
        return vocabulary.value(desk.rng, kinds[int(desk.rng.integers(len(kinds)))], desk.language)
    room = width_px * desk.uniform(0.25, 1.0)
    words: list[str] = []
    for word in desk.words(14):
        words.append(word)
        if style.width(" ".join(words)) > room:
            break
    return " ".join(words)


def lay_notebook(desk: Desk) -> None:
    """A leaf of an exercise book, written on its lines."""
    layout = desk.layout
    pitch = layout.mm(desk.uniform(7.5, 10.5))
    style = desk.written(10, neat=desk.uniform(0.3, 0.9))
    style = style.sized(pitch * desk.uniform(0.6, 0.95) / style.size_px)
    y = layout.height_px * desk.uniform(0.03, 0.12)
    rule_notebook(desk, pitch, y)
    left, right = layout.width_px * desk.uniform(0.03, 0.15), layout.width_px * desk.uniform(0.85, 0.97)
    bottom = layout.height_px * desk.uniform(0.3, 0.97)
    column = Column(left, right - left, pitch, indent_px=desk.uniform(0, 0.1) * layout.width_px, tight=True)
    if desk.chance(0.3):
        put(layout, vocabulary.date(desk.rng, desk.language), style, (right, y), "right", tight=True)
        y += pitch
    while y < bottom:
        y = paragraph(layout, desk.words(int(desk.rng.integers(8, 60))), style, column, y, bottom)
        if desk.chance(0.3):
            y += pitch
