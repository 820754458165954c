"""Lines by YOLO: ultralytics networks on a straightened, squeezed page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from deployments.detection.config import DetectionArgs
from deployments.detection.line_ends import ink_mask, reach_ends, without_rules
from deployments.detection.page_engine import PageEngine
from deployments.detection.preprocess import InputSpec, PageInput, page_quad
from deployments.detection.short_words import short_words
from deployments.detection.tensors import stacked
from deployments.detection.yolo_boxes import Selection, select_lines
from deployments.detection.yolo_network import for_inference, load_pt, load_safetensors, predict
from deployments.engine import Prepared
from deployments.errors import Outcome
from deployments.geometry import DegenerateQuad, check_quad
from deployments.precision import Precision, select_device
from deployments.soundness import require_finite
from deployments.types import PageLines, TextLine
from deployments.weights import TENSORS, WeightsError, resolve


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes of lines and likely short words, ``float32 (N, 4)`` in input pixels, with their scores."""

    page: PageInput
    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]


class YoloEngine(PageEngine):
    """Detection with a weight of ours, or with any ultralytics detection model.

    Raises:
        WeightsError: the weights are not there or do not fit.
        ValueError: the device does not exist.
    """

    name = "yolo"

    def __init__(self, args: DetectionArgs) -> None:
        self._device = select_device(args.device, args.gpu_memory_fraction)
        self._precision = Precision(self._device)
        network, spec = load(args.reference)
        super().__init__(spec)
        self._network = for_inference(network, self._device)

    @torch.inference_mode()
    def forward(self, batch: Sequence[Prepared[PageInput]]) -> list[Candidates]:
        images = stacked(batch, self._device).div_(255)
        with self._precision.autocast():
            boxes, scores = predict(self._network, images)
        results = []
        # NaN is below every threshold, and a page without lines is no error.
        require_finite(scores.cpu().numpy())
        for item, item_boxes, item_scores in zip(batch, boxes, scores, strict=True):
            likely = item_scores >= min(self.tuning.confidence, self.tuning.short_word_confidence)
            results.append(
                Candidates(item.payload, item_boxes[likely].cpu().numpy(), item_scores[likely].cpu().numpy())
            )
        return results

    def finish(self, raw: Sequence[Candidates]) -> list[Outcome[PageLines]]:
        return [self._finish(candidates) for candidates in raw]

    def _finish(self, found: Candidates) -> PageLines:
        boxes, scores = self._select(found)
        lines = []
        for box, score in zip(boxes, scores, strict=True):
            quad = page_quad(box, found.page)
            try:
                check_quad(quad)
            except DegenerateQuad:
                continue  # a box in the padding, or clipped to nothing by the page's border
            lines.append(TextLine(quad, float(score)))
        return PageLines(tuple(lines), found.page.skew_deg)

    def _select(self, found: Candidates) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Boxes of lines, the surest first, then those of short words beside them."""
        tuning, squeeze = self.tuning, found.page.squeeze
        selection = Selection(tuning.iou, tuning.containment, tuning.max_lines)
        sure = found.scores >= tuning.confidence
        faint = ~sure & (found.scores >= tuning.short_word_confidence)
        ink = without_rules(ink_mask(found.page.pixels))
        boxes, scores = select_lines(found.boxes[sure], found.scores[sure], selection)
        boxes = reach_ends(boxes, ink, squeeze)
        words, word_scores = short_words(found.boxes[faint], found.scores[faint], boxes, ink, squeeze)
        boxes, scores = np.concatenate([boxes, words]), np.concatenate([scores, word_scores])
        return boxes[: tuning.max_lines], scores[: tuning.max_lines]

    def warm_up(self) -> None:
        self._precision.choose(lambda: self.forward([self.largest()]))
        if self._precision.device.type == "cpu":
            # Or autocast would cast every weight at every step.
            self._network.to(self._precision.dtype)


def load(reference: str) -> tuple[nn.Module, InputSpec]:
    """A network in float32, and the input it was trained on.

    ``reference`` is a weight of ours (see :func:`deployments.weights.resolve`), or a ``.pt`` file:
    a path, or the name of an ultralytics release.
    """
    if reference.endswith(".pt"):
        network = load_pt(reference)
        size = network.args.get("imgsz", 640) if isinstance(network.args, dict) else 640
        longest = int(max(size)) if isinstance(size, (list, tuple)) else int(size)
        return network, InputSpec(long_side_px=longest, squeeze=1.0)
    weights = resolve(reference, YoloEngine.name)
    if not weights.metadata:
        raise WeightsError(f"weights {reference!r}: no metadata.json says how the network is built")
    try:
        spec = InputSpec.from_metadata(weights.metadata["input"])
        return load_safetensors(Path(weights.file(TENSORS)), weights.metadata["architecture"]), spec
    except (KeyError, ValueError) as error:
        raise WeightsError(f"weights {reference!r}: {error}") from error
