"""The greatest activations of a CRNN's convolutions, by which its 8-bit form is scaled.

See :mod:`deployments.recognition.crnn_int8`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from deployments.engine import Prepared
from deployments.recognition.crnn import load_crnn
from deployments.recognition.crnn_int8 import PEAKS, blocks_of
from deployments.recognition.crnn_network import CrnnNetwork
from deployments.recognition.preprocess import Ink, prepare_lines, stack
from deployments.weights import METADATA, Weights
from training.lines_data import Source
from training.synth.shards import LineShards
from training.weight_folder import write_metadata

BATCH_LINES = 16
# The rarest activations are cut off, so that all others get finer steps.
SHARE = 0.99


def record_peaks(weights: Weights, source: Source, limit: int) -> tuple[float, ...]:
    """Measure a weight's peaks on the first lines of shard folders and write them into its metadata.

    Raises:
        FileNotFoundError: the source holds no line.
        WeightsError: the weight is no CRNN.
    """
    network, _, line_format = load_crnn(weights)
    shards = [LineShards(folder) for folder in source.folders()]
    images = [lines[i].image for lines in shards for i in range(min(limit, len(lines)))]
    prepared = [line for line in prepare_lines(images, line_format) if isinstance(line, Prepared)]
    if not prepared:
        raise FileNotFoundError(f"{source.pattern}: no lines to measure activations on")
    peaks = measure_peaks(network.fuse(), prepared)
    metadata = json.loads(weights.file(METADATA).read_text(encoding="utf-8"))
    write_metadata(weights.path, metadata | {PEAKS: peaks})
    return peaks


def measure_peaks(network: CrnnNetwork, lines: Iterable[Prepared[Ink]]) -> tuple[float, ...]:
    """For each block of a fused network, what 99 of 100 batches of 16 lines nowhere exceed."""
    ordered = sorted(lines, key=lambda line: line.width)
    greatest: list[list[float]] = [[] for _ in blocks_of(network)]
    hooks = [
        block.register_forward_hook(_noting(seen))
        for block, seen in zip(blocks_of(network), greatest, strict=True)
    ]
    try:
        for start in range(0, len(ordered), BATCH_LINES):
            _convolve(network, ordered[start : start + BATCH_LINES])
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(round(float(np.quantile(seen, SHARE)), 4) for seen in greatest)


@torch.inference_mode()
def _convolve(network: CrnnNetwork, batch: Sequence[Prepared[Ink]]) -> None:
    widths = [line.width for line in batch]
    images = torch.from_numpy(stack([line.payload for line in batch], max(widths)))
    network.convolve(images, torch.tensor(widths))


def _noting(seen: list[float]) -> Callable[[nn.Module, object, Tensor], None]:
    """A hook that adds the greatest value of every output to ``seen``."""

    def note(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        seen.append(float(output.amax()))

    return note
