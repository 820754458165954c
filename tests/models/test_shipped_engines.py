"""The classifiers start with the weights that the repository ships."""

from __future__ import annotations

import numpy as np
import pytest

from deployments.classification.config import ClassificationArgs, EngineName
from deployments.classification.engines import build_engine
from deployments.engine import Prepared
from deployments.errors import OcrError


@pytest.mark.parametrize("name", ["clip", "cnn"])
def test_a_classifier_starts_with_nothing_but_its_name(name: EngineName) -> None:
    engine = build_engine(ClassificationArgs(engine=name, device="cpu"))
    assert engine.name == name
    image = np.full((48, 200, 3), 230, np.uint8)
    image[16:32, 20:180:8] = 20
    prepared = [item for item in engine.prepare([image]) if isinstance(item, Prepared)]
    (outcome,) = engine.finish(engine.forward(prepared))
    assert not isinstance(outcome, OcrError)
