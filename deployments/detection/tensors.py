"""Prepared pages as one tensor, the same for every detector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from deployments.detection.preprocess import PageInput, pad_to
from deployments.engine import Prepared


def stacked(batch: Sequence[Prepared[PageInput]], device: torch.device) -> torch.Tensor:
    """Pages padded to the largest of them: ``float32 (N, 3, H, W)`` RGB in ``[0, 255]``, channels last."""
    height, width = max(item.height for item in batch), max(item.width for item in batch)
    pixels = np.stack([pad_to(item.payload.pixels, height, width) for item in batch])
    # (N, H, W, 3) seen as (N, 3, H, W) is the channels-last layout that convolutions want.
    return torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float()
