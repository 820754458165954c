"""What the classification engines share: how crops are prepared, and what their scores mean."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from deployments.classification.config import ClassificationTuning
from deployments.classification.preprocess import Box, InputSpec, prepare_crops
from deployments.classification.scores import Scores, kind_scores
from deployments.classification.tensors import Normaliser
from deployments.engine import Prepared
from deployments.errors import Outcome
from deployments.precision import Precision
from deployments.types import Image, KindScore

WARM_UP_CROPS = 50


class CropEngine(ABC):
    """Classification around the network.

    Args:
        spec: the network's input.
        precision: where it runs, and in which format.
        temperature: calibrated for the weight; the tuning's wins.
    """

    def __init__(self, spec: InputSpec, precision: Precision, temperature: float) -> None:
        self.spec = spec
        self.tuning = ClassificationTuning()
        self.precision = precision
        self.normalise = Normaliser(spec, precision.device)
        self._temperature = temperature

    def configure(self, tuning: ClassificationTuning) -> None:
        """Take new thresholds and prompts."""
        self.tuning = tuning

    def prepare(self, items: Sequence[Image]) -> list[Outcome[Prepared[Box]]]:
        """Fit each crop into the network's box."""
        return prepare_crops(items, self.spec)

    @abstractmethod
    def forward(self, batch: Sequence[Prepared[Box]]) -> list[Scores]:
        """Scores ``float32 (2,)`` of each crop, in the order of ``scores.KINDS``."""

    def finish(self, raw: Sequence[Scores]) -> list[Outcome[KindScore]]:
        """Calibrated probability of the likelier kind."""
        temperature = self.tuning.temperature or self._temperature
        return kind_scores(raw, temperature, self.tuning.handwritten_threshold)

    def warm_up(self) -> None:
        """Run a page's worth of crops and keep the faster numeric format."""
        box = np.full((self.spec.height_px, self.spec.width_px, self.spec.channels), 255, np.uint8)
        batch = [Prepared(box, self.spec.height_px, self.spec.width_px)] * WARM_UP_CROPS
        self.precision.choose(lambda: self.forward(batch))
