"""Boxes of bytes to the tensor a network takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from deployments.classification.preprocess import Box, InputSpec


class Normaliser:
    """Moves a batch of boxes to the device and applies mean and std there."""

    def __init__(self, spec: InputSpec, device: torch.device) -> None:
        self.device = device
        # (x / 255 - mean) / std as one multiplication and one addition.
        std = torch.tensor(spec.std, device=device).view(1, -1, 1, 1)
        mean = torch.tensor(spec.mean, device=device).view(1, -1, 1, 1)
        self._scale = 1 / (255 * std)
        self._shift = -mean / std

    def __call__(self, boxes: Sequence[Box] | Box) -> torch.Tensor:
        """``uint8 (N, H, W, C)`` to ``float32 (N, C, H, W)`` in channels-last memory."""
        batch = torch.from_numpy(np.stack(boxes) if not isinstance(boxes, np.ndarray) else boxes)
        batch = batch.to(self.device, non_blocking=True).permute(0, 3, 1, 2)
        return batch.float().mul_(self._scale).add_(self._shift)
