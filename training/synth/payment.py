"""Bank payment orders: the Russian form 0401060 and a plain English transfer slip."""

from __future__ import annotations

from dataclasses import dataclass

from training.synth import vocabulary
from training.synth.layouts import Mark, MarkKind, Rule
from training.synth.page_source import Desk
from training.synth.typeset import Style, fit, put


@dataclass(frozen=True, slots=True)
class _Cell:
    """One box of the form in millimetres: its frame, printed label and the kind of its value."""

    x0: float
    y0: float
    x1: float
    y1: float
    label: str = ""
    value: str = ""
    sides: str = "tblr"


# Frame 180 mm wide. Labels stand low in their cells, values high, as on the bank form.
_RUSSIAN = (
    _Cell(0, 0, 45, 7, "Поступ. в банк плат.", "date", "b"),
    _Cell(55, 0, 100, 7, "Списано со сч. плат.", "date", "b"),
    _Cell(160, 0, 180, 7, "", "", "tblr"),
    _Cell(0, 14, 75, 21, "ПЛАТЕЖНОЕ ПОРУЧЕНИЕ №", "number", ""),
    _Cell(80, 14, 115, 21, "Дата", "date", "b"),
    _Cell(120, 14, 155, 21, "Вид платежа", "answer", "b"),
    _Cell(0, 26, 22, 40, "Сумма прописью", "", "r"),
    _Cell(22, 26, 180, 40, "", "purpose", ""),
    _Cell(0, 40, 50, 47, "ИНН", "inn", "tr"),
    _Cell(50, 40, 100, 47, "КПП", "kpp", "tr"),
    _Cell(0, 47, 100, 65, "Плательщик", "company", "tr"),
    _Cell(100, 40, 118, 54, "Сумма", "", "tr"),
    _Cell(118, 40, 180, 54, "", "money", "t"),
    _Cell(100, 54, 118, 72, "Сч. №", "", "tr"),
    _Cell(118, 54, 180, 72, "", "account", "t"),
    _Cell(0, 65, 100, 79, "Банк плательщика", "bank", "tr"),
    _Cell(100, 72, 118, 79, "БИК", "", "tr"),
    _Cell(118, 72, 180, 79, "", "bik", "t"),
    _Cell(0, 79, 100, 93, "Банк получателя", "bank", "tr"),
    _Cell(100, 79, 118, 86, "БИК", "", "tr"),
    _Cell(118, 79, 180, 86, "", "bik", "t"),
    _Cell(100, 86, 118, 93, "Сч. №", "", "r"),
    _Cell(118, 86, 180, 93, "", "account", ""),
    _Cell(0, 93, 50, 100, "ИНН", "inn", "tr"),
    _Cell(50, 93, 100, 100, "КПП", "kpp", "tr"),
    _Cell(0, 100, 100, 121, "Получатель", "company", "tr"),
    _Cell(100, 93, 118, 107, "Сч. №", "", "tr"),
    _Cell(118, 93, 180, 107, "", "account", "t"),
    _Cell(100, 107, 118, 114, "Вид оп.", "", "tr"),
    _Cell(118, 107, 140, 114, "", "code", "tr"),
    _Cell(140, 107, 160, 114, "Срок плат.", "", "tr"),
    _Cell(160, 107, 180, 114, "", "", "t"),
    _Cell(100, 114, 118, 121, "Код", "", "tr"),
    _Cell(118, 114, 140, 121, "", "code", "r"),
    _Cell(140, 114, 160, 121, "Очер. плат.", "", "r"),
    _Cell(160, 114, 180, 121, "", "code", ""),
    _Cell(0, 121, 180, 150, "Назначение платежа", "purpose", "tb"),
    _Cell(60, 152, 110, 159, "Подписи", "", ""),
    _Cell(125, 152, 180, 159, "Отметки банка", "", ""),
)
_ENGLISH = (
    _Cell(0, 0, 110, 9, "PAYMENT ORDER No.", "number", ""),
    _Cell(120, 0, 180, 9, "Date", "date", "tblr"),
    _Cell(0, 14, 110, 28, "Ordering customer", "person", "tblr"),
    _Cell(110, 14, 180, 28, "Account number", "account", "tbr"),
    _Cell(0, 28, 180, 40, "Address", "address", "blr"),
    _Cell(0, 40, 110, 54, "Beneficiary", "company", "blr"),
    _Cell(110, 40, 180, 54, "IBAN / Account", "account", "br"),
    _Cell(0, 54, 110, 68, "Beneficiary bank", "bank", "blr"),
    _Cell(110, 54, 180, 68, "BIC / Sort code", "bik", "br"),
    _Cell(0, 68, 60, 82, "Currency and amount", "money", "blr"),
    _Cell(60, 68, 120, 82, "Value date", "date", "br"),
    _Cell(120, 68, 180, 82, "Charges", "answer", "br"),
    _Cell(0, 82, 180, 100, "Details of payment", "purpose", "blr"),
    _Cell(0, 104, 90, 116, "Authorised signature", "", "b"),
    _Cell(95, 104, 180, 116, "For bank use only", "", "tblr"),
)


def lay_payment(desk: Desk) -> None:
    """Sets the form, fills most of its cells by hand or typewriter, signs and stamps it."""
    layout = desk.layout
    cells = _RUSSIAN if desk.language == "ru" else _ENGLISH
    label = desk.printed("text", desk.uniform(6.5, 8.5))
    by_hand = desk.chance(0.6)
    answer = (
        desk.written(desk.uniform(11, 15), neat=0.8)
        if by_hand
        else desk.printed("mono" if desk.chance(0.5) else "text", desk.uniform(8.5, 10.5))
    )
    scale = layout.width_px / 210.0 * desk.uniform(0.96, 1.08)
    left, top = layout.width_px * desk.uniform(0.04, 0.08), layout.mm(desk.uniform(10, 40))
    for cell in cells:
        box = (left + cell.x0 * scale, top + cell.y0 * scale, left + cell.x1 * scale, top + cell.y1 * scale)
        _frame(desk, cell.sides, box, label.ink)
        _fill(desk, cell, box, label, answer)
    foot = top + 152 * scale if desk.language == "ru" else top + 104 * scale
    _sign_and_stamp(desk, left, foot, scale)


def _frame(desk: Desk, sides: str, box: tuple[float, float, float, float], ink: int) -> None:
    x0, y0, x1, y1 = box
    edges = {"t": (x0, y0, x1, y0), "b": (x0, y1, x1, y1), "l": (x0, y0, x0, y1), "r": (x1, y0, x1, y1)}
    width = max(1.0, desk.layout.pt(0.6))
    for side in sides:
        desk.layout.rules.append(Rule(*edges[side], width, ink))


def _fill(
    desk: Desk, cell: _Cell, box: tuple[float, float, float, float], label: Style, answer: Style
) -> None:
    layout, pad = desk.layout, desk.layout.mm(1.2)
    x0, y0, x1, y1 = box
    tall = y1 - y0 > layout.mm(11)
    inline = 0.0
    if cell.label:
        text, style = fit(cell.label, label, x1 - x0 - 2 * pad)
        # Tall cells carry their label at the foot, one-row cells in front of the value.
        y = y1 - pad * 0.8 if tall and cell.value else y0 + pad + 0.8 * style.size_px
        inline = put(layout, text, style, (x0 + pad, y))
    if not cell.value or desk.chance(0.12):
        return
    value = vocabulary.value(desk.rng, cell.value, desk.language)
    start = x0 + pad + (0.0 if tall else inline + max(layout.mm(2), 0.8 * answer.size_px))
    text, style = fit(value, answer, x1 - start - pad)
    y = y0 + pad + 0.85 * style.size_px
    put(layout, text, style, (start, y if tall else max(y, y1 - pad - 0.2 * style.size_px)))
    rest = value.split()[len(text.split()) :]
    second = y + 1.15 * answer.size_px
    if rest and second + 1.2 * label.size_px < y1:
        text, style = fit(" ".join(rest), answer, x1 - x0 - 2 * pad)
        put(layout, text, style, (x0 + pad, second))


def _sign_and_stamp(desk: Desk, left: float, foot: float, scale: float) -> None:
    rng, layout = desk.rng, desk.layout
    pen = (20, 30, 120) if desk.chance(0.7) else (20, 20, 25)
    for row in range(int(rng.integers(0, 3))):
        x, y = left + (60 + desk.uniform(-5, 15)) * scale, foot + (4 + 12 * row) * scale
        box = (x, y, x + 35 * scale, y + 11 * scale)
        layout.marks.append(Mark(MarkKind.SIGNATURE, box, int(rng.integers(2**31)), pen))
    if desk.chance(0.6):
        size = desk.uniform(28, 42) * scale
        x, y = left + desk.uniform(0, 140) * scale, foot + desk.uniform(-15, 5) * scale
        blue = (60, 70, 170) if desk.chance(0.8) else (150, 60, 90)
        layout.marks.append(Mark(MarkKind.STAMP, (x, y, x + size, y + size), int(rng.integers(2**31)), blue))
