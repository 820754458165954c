"""Lines by CRAFT's maps on SegFormer: character and affinity heads of one transformers network.

Any ``SegformerForSemanticSegmentation`` checkpoint with two labels, character and affinity, in
the Hugging Face hub's format. Boxes are read off the maps as in Baek et al. (2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pickle import UnpicklingError
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import SegformerForSemanticSegmentation

from deployments import geometry
from deployments.detection.config import DetectionArgs, DetectionTuning
from deployments.detection.craft_boxes import (
    CraftThresholds,
    Region,
    find_words,
    grow_lines,
    join_lines,
    part_lines,
)
from deployments.detection.page_engine import PageEngine
from deployments.detection.preprocess import InputSpec, PageInput
from deployments.detection.tensors import stacked
from deployments.engine import Prepared
from deployments.errors import Outcome
from deployments.precision import Precision, select_device
from deployments.soundness import require_finite
from deployments.types import PageLines, TextLine
from deployments.weights import Weights, WeightsError, resolve

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CHARACTER, AFFINITY = 0, 1


@dataclass(frozen=True, slots=True)
class Heatmaps:
    """Maps of one page, ``float32 (2, h, w)`` in ``[0, 1]``: characters, affinities.

    ``stride`` is how many pixels of the input one pixel of the maps stands for.
    """

    page: PageInput
    maps: npt.NDArray[np.float32]
    stride: int


class CraftEngine(PageEngine):
    """Detection without ultralytics.

    Raises:
        WeightsError: the weights are not there, or are no SegFormer with two maps.
        ValueError: the device does not exist.
    """

    name = "craft"

    def __init__(self, args: DetectionArgs) -> None:
        weights = resolve(args.reference, self.name)
        self._device = select_device(args.device, args.gpu_memory_fraction)
        self._precision = Precision(self._device)
        super().__init__(_input_spec(weights))
        self._network = load(weights).eval().requires_grad_(False)
        # A checkpoint comes in the precision it was saved in; autocast starts from single.
        self._network.to(device=self._device, dtype=torch.float32, memory_format=torch.channels_last)
        self._mean = torch.tensor(IMAGENET_MEAN, device=self._device).view(1, 3, 1, 1) * 255
        self._std = torch.tensor(IMAGENET_STD, device=self._device).view(1, 3, 1, 1) * 255

    @torch.inference_mode()
    def forward(self, batch: Sequence[Prepared[PageInput]]) -> list[Heatmaps]:
        images = stacked(batch, self._device)
        with self._precision.autocast():
            logits: Tensor = self._network(pixel_values=(images - self._mean) / self._std).logits
        maps = require_finite(logits.float().sigmoid().cpu().numpy())
        stride = images.shape[2] // maps.shape[2]
        return [
            Heatmaps(item.payload, page_maps[:, : item.height // stride, : item.width // stride], stride)
            for item, page_maps in zip(batch, maps, strict=True)
        ]

    def finish(self, raw: Sequence[Heatmaps]) -> list[Outcome[PageLines]]:
        return [read_lines(heatmaps, self.tuning) for heatmaps in raw]

    def warm_up(self) -> None:
        self._precision.choose(lambda: self.forward([self.largest()]))


def read_lines(found: Heatmaps, tuning: DetectionTuning) -> PageLines:
    """The lines of a page, read off its maps; the surest first."""
    thresholds = CraftThresholds(
        text=tuning.text_threshold,
        link=tuning.link_threshold,
        low_text=tuning.low_text,
        gap=tuning.join_gap,
        part_gap=tuning.part_gap,
        growth=tuning.growth,
    )
    maps, input_px = _unsqueezed(found)
    words = find_words(maps[CHARACTER], maps[AFFINITY], thresholds)
    pieces = part_lines(join_lines(words, thresholds.gap), thresholds.part_gap)
    regions = sorted(pieces, key=lambda region: -region.score)[: tuning.max_lines]
    lines = (_page_line(line, input_px, found.page) for line in grow_lines(regions, thresholds.growth))
    return PageLines(tuple(line for line in lines if line is not None), found.page.skew_deg)


def _unsqueezed(found: Heatmaps) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Maps with pixels as wide as high on the page, and the input's pixels per pixel of theirs, x and y."""
    across, down = found.page.page_px
    height, width = found.maps.shape[1:]
    wide = max(1, round(width * across / down))
    maps = np.stack([cv2.resize(one, (wide, height), interpolation=cv2.INTER_LINEAR) for one in found.maps])
    return maps, found.stride * np.array([width / wide, 1.0])


def _page_line(region: Region, input_px: npt.NDArray[np.float64], page: PageInput) -> TextLine | None:
    """A line on the page; None for one that lies in the padding or is clipped to nothing."""
    quad = geometry.project_points((region.quad * input_px).astype(np.float32), page.to_page)
    quad = geometry.clip_quad(quad, *page.page_size_px)
    try:
        geometry.check_quad(quad)
    except geometry.DegenerateQuad:
        return None
    return TextLine(quad, region.score)


def _input_spec(weights: Weights) -> InputSpec:
    metadata: dict[str, Any] = weights.metadata.get("input", {"squeeze": 1.0})
    try:
        return InputSpec.from_metadata(metadata)
    except ValueError as error:
        raise WeightsError(f"weights {weights.reference!r}: {error}") from error


def load(weights: Weights) -> SegformerForSemanticSegmentation:
    """A checkpoint with two maps, in the precision that it was saved in."""
    try:
        network = SegformerForSemanticSegmentation.from_pretrained(weights.path, local_files_only=True)
    except UnpicklingError as error:
        raise WeightsError(f"weights {weights.reference!r}: hold more than tensors") from error
    except (OSError, ValueError, RuntimeError) as error:
        raise WeightsError(f"weights {weights.reference!r}: no SegFormer checkpoint: {error}") from error
    if network.config.num_labels != 2:
        raise WeightsError(
            f"weights {weights.reference!r}: {network.config.num_labels} labels; "
            "CRAFT has 2, character and affinity"
        )
    return network
