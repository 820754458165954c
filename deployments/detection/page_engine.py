"""What the detection engines share: their tuning, and how they prepare a page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deployments.detection.config import DetectionTuning
from deployments.detection.polarity import dark_on_light
from deployments.detection.preprocess import A4_ASPECT, InputSpec, PageInput, check_page, fit_page
from deployments.detection.skew import estimate_pose
from deployments.engine import Prepared
from deployments.errors import OcrError, Outcome
from deployments.types import Image


class PageEngine:
    """Detection up to the network: pages are laid level and brought to the input that ``spec`` names."""

    def __init__(self, spec: InputSpec) -> None:
        self.spec = spec
        self.tuning = DetectionTuning()

    def configure(self, tuning: object) -> None:
        """Take new thresholds; raises TypeError for those of another stage."""
        if not isinstance(tuning, DetectionTuning):
            raise TypeError(f"detection takes DetectionTuning, not {type(tuning).__name__}")
        self.tuning = tuning

    def prepare(self, items: Sequence[Image]) -> list[Outcome[Prepared[PageInput]]]:
        """Pages, or the error of each that is no page."""
        return [self._prepare(page) for page in items]

    def largest(self) -> Prepared[PageInput]:
        """An empty A4 page of all the pixels that the network ever gets of one, to warm up with."""
        height = self.spec.long_side_px
        fitted = fit_page(np.full((height, round(height / A4_ASPECT), 3), 255, np.uint8), self.spec)
        return Prepared(fitted, *fitted.pixels.shape[:2])

    def _prepare(self, page: Image) -> Outcome[Prepared[PageInput]]:
        try:
            check_page(page)
            page = dark_on_light(page)
            fitted = fit_page(page, self.spec, estimate_pose(page, self.tuning.max_skew_deg))
        except OcrError as error:
            return error
        height, width = fitted.pixels.shape[:2]
        return Prepared(fitted, height, width)
