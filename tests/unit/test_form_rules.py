"""Rules of forms under handwriting: where they lie, that ink stays, and how often they are drawn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from deployments.types import Kind
from training.form_rules import FormRules, apply, field_of_form, sample

PAPER, INK = 240, 20


def written() -> np.ndarray:
    """One thick stroke, 40 px high, on blank paper."""
    line = np.full((40, 200), PAPER, np.uint8)
    line[10:30, 90:100] = INK
    return line


def dark(line: np.ndarray) -> np.ndarray:
    return line < PAPER - 60


def test_a_line_to_write_on_lies_at_its_height_and_under_the_ink() -> None:
    ruled = apply(written(), FormRules(baseline=0.7, thickness=0.05, darkness=0.5))
    rows = np.flatnonzero(dark(ruled)[:, :80].all(axis=1))
    assert rows.mean() == pytest.approx(28, abs=1) and 2 <= len(rows) <= 3
    assert (ruled[10:30, 90:100] == INK).all()
    assert ruled[28, :80].mean() == pytest.approx((PAPER + INK) / 2, abs=15)


@pytest.mark.parametrize(("pattern", "covered"), [("dots", 0.35), ("dashes", 0.65)])
def test_dots_and_dashes_come_at_their_period(pattern: str, covered: float) -> None:
    rules = FormRules(baseline=0.7, pattern=pattern, period=0.25, thickness=0.05, darkness=1.0)  # type: ignore[arg-type]
    row = dark(apply(written(), rules))[28]
    starts = np.flatnonzero(np.diff(row.astype(int)) == 1)
    starts = starts[(starts < 85) | (starts > 105)]
    gaps = np.diff(starts)
    assert set(gaps[gaps < 15]) <= {9, 10, 11}
    assert row[:80].mean() == pytest.approx(covered, abs=0.2)


def test_a_frame_has_its_four_sides_and_those_stand_beside_the_text() -> None:
    rules = FormRules(baseline=0.9, top=0.1, left=0.3, right=0.2, beyond=0.25, thickness=0.05, darkness=1.0)
    framed = apply(written(), rules)
    left, right = 24, 20  # Gap, rule and what is beyond, of 40.
    assert framed.shape == (40, 200 + left + right)
    assert (framed[10:30, left + 90 : left + 100] == INK).all()
    columns = np.flatnonzero(dark(framed)[20])
    np.testing.assert_allclose([columns[0], columns[-1]], [10, 234], atol=1)
    assert len(columns) == pytest.approx(10 + 2 * 2, abs=3)
    assert dark(framed)[4].all() and dark(framed)[36].all()
    assert not dark(framed)[2, 20:80].any() and not dark(framed)[38, 20:80].any()


def test_sides_alone_run_from_edge_to_edge() -> None:
    framed = dark(apply(written(), FormRules(left=0.1, thickness=0.05, darkness=1.0)))
    assert framed[:, 0].all() and not framed[:, 4:80].any()


def test_the_teeth_of_a_comb_are_a_cell_apart_and_as_tall_as_they_are() -> None:
    rules = FormRules(baseline=0.9, cell=0.5, tooth=0.25, thickness=0.025, darkness=1.0)
    comb = dark(apply(written(), rules))
    assert np.flatnonzero(comb[30, :80]).tolist() == [10, 30, 50, 70]
    assert not comb[22, :80].any()


def test_rules_fall_with_their_tilt() -> None:
    ruled = apply(written(), FormRules(baseline=0.5, thickness=0.025, darkness=1.0, tilt=0.04))
    first, last = (int(np.argmin(ruled[:, column])) for column in (2, 197))
    assert last - first == pytest.approx(8, abs=1)


def test_light_writing_on_a_dark_ground_gets_light_rules() -> None:
    ruled = apply(255 - written(), FormRules(baseline=0.9, thickness=0.05, darkness=0.8))
    assert ruled[:, :80].min() == 255 - PAPER
    assert ruled[36, :80].min() > 255 - PAPER + 60


def test_what_was_drawn_decides_the_picture() -> None:
    rng = np.random.default_rng(0)
    drawn = [rules for rules in (sample(rng, Kind.HANDWRITTEN) for _ in range(120)) if rules is not None]
    line = written()
    assert len({apply(line, rules).tobytes() for rules in drawn}) > 0.9 * len(drawn) > 20
    assert all(np.array_equal(apply(line, rules), apply(line, rules)) for rules in drawn)
    assert np.array_equal(line, written())
    assert any(rules.cell for rules in drawn) and any(rules.top for rules in drawn)
    assert {rules.pattern for rules in drawn} == {"solid", "dots", "dashes"}


def test_handwriting_stands_on_forms_more_often_than_print() -> None:
    rng = np.random.default_rng(1)
    on_forms = Counter(kind for kind in Kind for _ in range(2000) if sample(rng, kind) is not None)
    assert on_forms[Kind.HANDWRITTEN] == pytest.approx(700, abs=90)
    assert on_forms[Kind.PRINTED] == pytest.approx(320, abs=60)


def test_fields_come_by_turns() -> None:
    fields = [field_of_form(number) for number in range(8)]
    assert fields[:4] == fields[4:]
    assert len({apply(written(), field).tobytes() for field in fields}) == 4
