"""YOLO on windows of labelled pages, as a task of the training loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from deployments.detection.preprocess import InputSpec
from deployments.detection.yolo_network import LineLoss, build_network, stock_architecture
from training.detection_augment import Variation, Window, windows
from training.detection_data import LabelledPage, PageSource

WIDTH = 0.1875
SPEC = InputSpec(narrow_squeeze=0.7, max_upscale=2.5, letter_px=14.0)


def architecture(name: str = "yolov8", width: float = WIDTH) -> dict[str, Any]:
    """An ultralytics architecture for one class, with direct box distances.

    Their distance distributions (``reg_max`` 16) cannot reach further than 15 strides, while a
    line of small print needs the finest stride and half the page's width.
    """
    stock = stock_architecture(name)
    scales = {"l": [0.33, width, 1024]}
    return {
        "backbone": stock["backbone"],
        "head": stock["head"],
        "nc": 1,
        "reg_max": 1,
        "scale": "l",
        "scales": scales,
    }


class YoloTask:
    """Random weights from ``seed``; windows of all sources, drawn by their weights."""

    def __init__(
        self,
        sources: Sequence[PageSource],
        spec: InputSpec,
        width: float = WIDTH,
        vary: Variation | None = None,
        seed: int = 0,
    ) -> None:
        torch.manual_seed(seed)
        self.architecture = architecture(width=width)
        self.network = build_network(self.architecture)
        self._loss = LineLoss(self.network)
        self._sources, self._spec, self._vary = tuple(sources), spec, vary or Variation()

    def stream(self, seed: int, epoch: int) -> IterableDataset[Window]:
        return WindowStream(self._sources, self._spec, self._vary, [seed, epoch])

    def collate(self, examples: list[Window]) -> tuple[Tensor, ...]:
        """Images, boxes ``(M, 4)`` and the image each belongs to, ``(M,)``."""
        boxes = torch.from_numpy(np.concatenate([window.boxes for window in examples]))
        counts = torch.tensor([len(window.boxes) for window in examples])
        owners = torch.repeat_interleave(torch.arange(len(examples)), counts).float()
        return stack_images([window.pixels for window in examples]), boxes, owners

    def loss(self, images: Tensor, truth: tuple[Tensor, ...]) -> tuple[Tensor, Mapping[str, float]]:
        boxes, owners = truth
        return self._loss(self.network(images), boxes, owners)


class WindowStream(IterableDataset[Window]):
    """Endless random windows of labelled pages."""

    def __init__(
        self, sources: Sequence[PageSource], spec: InputSpec, vary: Variation, seeds: list[int]
    ) -> None:
        self._spec, self._vary, self._seeds = spec, vary, seeds
        self._pages: list[LabelledPage] = []
        weights: list[float] = []
        for source in sources:
            found = [page for page in source.pages() if len(page.quads)]
            self._pages += found
            weights += [source.weight] * len(found)
        self._weights = np.array(weights)

    def __iter__(self) -> Iterator[Window]:
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([*self._seeds, worker.id if worker else 0])
        return windows(self._pages, self._weights, self._spec, self._vary, rng)


def stack_images(images: Sequence[np.ndarray[Any, np.dtype[np.uint8]]]) -> Tensor:
    """``uint8 (N, 3, H, W)``, channels-last in memory."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
