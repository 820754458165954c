"""The sorts of documents, how often each is drawn, and the size of their sheets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.synth.books import lay_book
from training.synth.forms import lay_form
from training.synth.layouts import Layout, Mark, MarkKind
from training.synth.letters import lay_letter, lay_typescript
from training.synth.notes import lay_note, lay_notebook
from training.synth.page_source import Desk, Source, new_layout
from training.synth.payment import lay_payment
from training.synth.receipts import lay_receipt
from training.synth.tables import lay_table_page


@dataclass(frozen=True, slots=True)
class PageKind:
    """``old`` is the chance of aged paper, ``photographed`` that of a camera, ``russian`` of the language.

    ``slack`` follows the real labels of such documents (:class:`Layout`); ``condensed`` is the
    chance that the whole sheet is narrowed.
    """

    lay: Callable[[Desk], None]
    weight: float
    old: float
    photographed: float
    russian: float
    sheets_mm: tuple[tuple[float, float], ...]
    slack: tuple[float, float, float] = (0.03, 0.03, 0.05)
    condensed: float = 0.0


_A4, _A5, _LETTER = (210.0, 297.0), (148.0, 210.0), (216.0, 279.0)
KINDS: dict[str, PageKind] = {
    "payment": PageKind(lay_payment, 0.12, 0.15, 0.2, 0.85, (_A4, (210.0, 205.0))),
    "form": PageKind(lay_form, 0.22, 0.2, 0.2, 0.55, (_A4, _A4, _LETTER, _A5)),
    "table": PageKind(lay_table_page, 0.07, 0.15, 0.15, 0.6, (_A4, _LETTER, (297.0, 210.0))),
    "receipt": PageKind(
        lay_receipt,
        0.16,
        0.15,
        0.2,
        0.35,
        ((80.0, 0.0), (72.0, 0.0), (105.0, 0.0)),
        slack=(0.07, 0.05, 0.08),
        condensed=0.6,
    ),
    "book": PageKind(lay_book, 0.19, 0.2, 0.15, 0.65, (_A4, _A4, _A5, _LETTER, (130.0, 200.0))),
    "typescript": PageKind(
        lay_typescript,
        0.1,
        0.5,
        0.08,
        0.4,
        (_A4, _LETTER, (203.0, 330.0)),
        slack=(0.14, 0.1, 0.15),
    ),
    "letter": PageKind(lay_letter, 0.13, 0.7, 0.12, 0.5, (_A5, (130.0, 205.0), _A4, _LETTER)),
    "notebook": PageKind(lay_notebook, 0.05, 0.1, 0.5, 0.8, ((165.0, 205.0), _A5, _A4)),
    "note": PageKind(lay_note, 0.05, 0.3, 0.3, 0.6, ((90.0, 0.0), (150.0, 0.0), (60.0, 0.0))),
}


def lay_out(rng: np.random.Generator, kind: str, source: Source) -> Layout:
    """A sheet of this kind with everything on it, distractors included."""
    spec = KINDS[kind]
    width, height = spec.sheets_mm[int(rng.integers(len(spec.sheets_mm)))]
    if kind == "receipt":
        height = width * float(rng.uniform(1.2, 2.9))
        target_px = float(rng.uniform(400, 1000))
    elif kind == "note":
        height = width * float(np.exp(rng.uniform(-1.8, 0.2)))
        target_px = float(rng.uniform(180, 1100))
    else:
        target_px = float(rng.choice([rng.uniform(830, 1300), rng.uniform(1200, 1750)], p=[0.7, 0.3]))
    layout = new_layout(kind, width, height, target_px / width * 25.4)
    layout.slack, layout.tracks = spec.slack, source.tracks
    language = "ru" if rng.random() < spec.russian else "en"
    desk = Desk(rng, layout, language, source)
    spec.lay(desk)
    _litter(desk, spec.old)
    return layout


def _litter(desk: Desk, old: float) -> None:
    """Punched holes, stains and stray strokes that may befall any sheet."""
    layout, rng = desk.layout, desk.rng
    width, height = layout.width_px, layout.height_px
    if layout.kind not in ("receipt", "note") and desk.chance(0.12):
        size = layout.mm(6.5)
        for y in (0.37, 0.63) if desk.chance(0.6) else (0.1, 0.37, 0.63, 0.9):
            x = layout.mm(desk.uniform(6, 9)) if height > width else width * y
            box = (x, y * height, x + size, y * height + size)
            layout.marks.append(Mark(MarkKind.HOLE, box, int(rng.integers(2**31)), (35, 35, 35)))
    if desk.chance(0.3 * old):
        size = desk.uniform(0.05, 0.35) * min(width, height)
        x, y = desk.uniform(0, width - size), desk.uniform(0, height - size)
        layout.marks.append(
            Mark(MarkKind.STAIN, (x, y, x + size, y + size), int(rng.integers(2**31)), (150, 110, 60))
        )
    if desk.chance(0.08):
        size = desk.uniform(0.05, 0.2) * min(width, height)
        x, y = desk.uniform(0, width - size), desk.uniform(0, height - size)
        layout.marks.append(
            Mark(MarkKind.SCRIBBLE, (x, y, x + size, y + size), int(rng.integers(2**31)), (40, 50, 120))
        )
