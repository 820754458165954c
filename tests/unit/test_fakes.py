from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.fakes import FakeBehaviour, FakeDetector, FakeRecogniser, decode_code, draw_page
from deployments.geometry import cut_crop
from deployments.settings import StageTuning
from deployments.types import Kind


class Tuning(StageTuning):
    confidence: float = 0.0


@given(st.lists(st.integers(0, 2**20 - 1), min_size=1, max_size=5))
def test_drawn_numbers_are_found_and_read(values: list[int]) -> None:
    page = draw_page(values)
    detector = FakeDetector()
    detector.configure(Tuning())
    (prepared,) = detector.prepare([page])
    (found,) = detector.finish(detector.forward([prepared]))
    crops = [cut_crop(page, line.quad) for line in found.lines]
    assert [decode_code(crop) for crop in crops] == values


def test_code_is_read_at_other_scales_and_margins() -> None:
    crop = draw_page([777_777])[10:50]
    assert decode_code(np.repeat(np.repeat(crop, 3, axis=0), 3, axis=1)) == 777_777


def test_blank_crop_is_an_empty_reading() -> None:
    reader = FakeRecogniser()
    (prepared,) = reader.prepare([np.full((20, 200, 3), 255, np.uint8)])
    assert reader.forward([prepared])[0].text == ""


def test_poison_raises_for_its_batch() -> None:
    reader = FakeRecogniser(FakeBehaviour(faults={13: "raises"}))
    batch = reader.prepare([draw_page([12]), draw_page([13])])
    with pytest.raises(RuntimeError, match="poisoned"):
        reader.forward(batch)


def test_kinds_differ_by_ink() -> None:
    from deployments.fakes import FakeClassifier

    page = draw_page([5, 6], [Kind.PRINTED, Kind.HANDWRITTEN])
    classifier = FakeClassifier()
    batch = classifier.prepare([page[10:50], page[50:90]])
    assert [score.kind for score in classifier.forward(batch)] == [Kind.PRINTED, Kind.HANDWRITTEN]
