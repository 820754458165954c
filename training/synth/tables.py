"""Tables with rules: whole pages of statements, and blocks inside other pages."""

from __future__ import annotations

import numpy as np

from training.synth import vocabulary
from training.synth.layouts import Box, Panel, Rule
from training.synth.page_source import Desk
from training.synth.typeset import Style, fit, put

_KINDS = (
    "date",
    "money",
    "company",
    "person",
    "account",
    "number",
    "answer",
    "goods",
    "code",
    "city",
    "purpose",
)


def lay_table_block(desk: Desk, style: Style, box: Box, rows: int = 0, body: Style | None = None) -> float:
    """A table inside ``box`` from its top baseline down; returns the baseline after it.

    Empty cells, missing rules and a header row vary. ``body`` sets the cells in another style
    (a hand) than the header.
    """
    layout, rng = desk.layout, desk.rng
    x0, y, x1, bottom = box
    body = body or style
    columns = int(rng.integers(2, max(3, min(8, int((x1 - x0) / (7 * style.size_px))))))
    shares = rng.uniform(0.6, 1.6, columns)
    edges = x0 + np.concatenate([[0.0], np.cumsum(shares / shares.sum())]) * (x1 - x0)
    pitch = max(style.size_px, body.size_px) * desk.uniform(1.3, 1.9)
    rows = min(rows or int(rng.integers(3, 14)), int((bottom - y) / pitch))
    if rows < 2:
        return bottom + 1
    top = y - 0.68 * pitch
    kinds = [_KINDS[int(rng.integers(len(_KINDS)))] for _ in range(columns)]
    empty = desk.uniform(0, 0.4)
    pad = 0.3 * style.size_px
    for row in range(rows):
        for column in range(columns):
            text = (
                vocabulary.choose(rng, "table_heads", desk.language)
                if row == 0
                else vocabulary.value(rng, kinds[column], desk.language)
            )
            if row and desk.chance(empty):
                continue
            a, b = float(edges[column]) + pad, float(edges[column + 1]) - pad
            text, this = fit(text, style if row == 0 else body, b - a, smallest=0.8)
            if this.width(text) > b - a:
                continue
            right = row and kinds[column] in ("money", "number", "code")
            put(layout, text, this, (b if right else a, y), "right" if right else "left")
        y += pitch
    if desk.chance(0.25):
        level = int(rng.integers(190, 240)) if desk.chance(0.7) else 50
        head = (x0, top, x1, top + pitch)
        layout.panels.append(Panel(head, (level, level, level), negative=level < 100))
    _rules(desk, style, edges, top, pitch, rows)
    return y + 0.3 * pitch


def _rules(desk: Desk, style: Style, edges: np.ndarray, top: float, pitch: float, rows: int) -> None:
    horizontal, vertical = desk.chance(0.75), desk.chance(0.75)
    width = max(1.0, desk.layout.pt(desk.uniform(0.3, 1.2)))
    add, ink = desk.layout.rules.append, style.ink
    for row in range(rows + 1):
        if horizontal or row in (0, 1, rows):
            add(Rule(float(edges[0]), top + row * pitch, float(edges[-1]), top + row * pitch, width, ink))
    if vertical:
        for x in edges:
            add(Rule(float(x), top, float(x), top + rows * pitch, width, ink))


def lay_table_page(desk: Desk) -> None:
    """A statement or register: a title, a large table or two, a few lines around them."""
    layout = desk.layout
    style = desk.printed("text", desk.uniform(7, 11))
    written = desk.written(desk.uniform(11, 15), neat=0.7) if desk.chance(0.3) else None
    left, right = layout.width_px * desk.uniform(0.04, 0.1), layout.width_px * desk.uniform(0.9, 0.96)
    y, bottom = layout.height_px * desk.uniform(0.05, 0.12), layout.height_px * desk.uniform(0.6, 0.95)
    for _ in range(int(desk.rng.integers(1, 6))):
        text, this = fit(
            " ".join(desk.words(int(desk.rng.integers(2, 10)))),
            style.sized(desk.uniform(0.9, 1.5)),
            right - left,
        )
        put(layout, text, this, (left, y))
        y += 1.5 * this.size_px
    while y < bottom:
        y = lay_table_block(
            desk, style, (left, y + style.size_px, right, bottom), int(desk.rng.integers(4, 45)), written
        )
        y += desk.uniform(1, 4) * style.size_px
