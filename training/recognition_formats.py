"""A shipped CRNN in the formats of other runtimes: ONNX and TorchScript, checked against torch.

Both take ``images`` ``(N, 1, H, W)`` float32 ink and ``widths`` ``(N,)`` int64, each line's own width
in pixels, and give ``logits`` ``(N, W / 4, V)``; N and W are free, W a multiple of 4. How a crop
becomes ink, and the symbols of V, stand in the ``metadata.json`` that is written beside them.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from deployments.recognition.crnn import load_crnn
from deployments.recognition.crnn_network import STRIDE_PX
from deployments.recognition.preprocess import LineFormat, padded_width, scale_line, stack
from deployments.types import Image
from deployments.weights import Weights, sha256
from training.weight_folder import write_metadata

Format = Literal["onnx", "torchscript"]
FILES: dict[Format, str] = {"onnx": "model.onnx", "torchscript": "model.torchscript.pt"}
TOLERANCE = 1e-3
"""Largest difference of a logit from torch's, over the steps of a line, that an export may show.

Differences are of the order of 1e-5; a reading changes where two logits are closer than twice that.
"""
CHECKED_LINES = 16
OPSET = 18
LARGEST_BATCH = 512

Reader = Callable[[Tensor, Tensor], Tensor]


class ExportMismatch(RuntimeError):
    """An exported network does not compute what the network in torch computes."""


@dataclass(frozen=True, slots=True)
class Exported:
    """One written file and how far its logits were from torch's on the lines that checked it."""

    path: Path
    largest_difference: float


def export_formats(
    weights: Weights, target: Path, formats: Sequence[Format], crops: Sequence[Image]
) -> list[Exported]:
    """Write a CRNN weight in other formats and check each on lines.

    Args:
        weights: a CRNN that ``deployments.weights`` resolved.
        target: the folder to write into; its metadata.json says what the weight's does.
        formats: which to write.
        crops: lines that check the export, in one padded batch and each alone.

    Raises:
        ExportMismatch: logits differ by more than :data:`TOLERANCE`; the file is removed.
        ValueError: there is no line to check with.
        deployments.weights.WeightsError: the weight is no CRNN.
    """
    if not crops:
        raise ValueError("an export is checked on lines: none were given")
    network, _, line_format = load_crnn(weights)
    network.fuse().requires_grad_(False)
    batches = _batches(crops, line_format)
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for name in formats:
        path = target / FILES[name]
        reader = _WRITERS[name](network, path, line_format)
        difference = _largest_difference(network, reader, batches)
        if difference > TOLERANCE:
            path.unlink()
            raise ExportMismatch(f"{path.name}: logits differ from torch's by {difference:.2g}")
        written.append(Exported(path, difference))
    digests = {file.path.name: sha256(file.path) for file in written}
    write_metadata(target, {**weights.metadata, "name": target.name, "sha256": digests})
    return written


def _write_onnx(network: nn.Module, path: Path, line_format: LineFormat) -> Reader:
    import onnxruntime

    for chatty in ("onnxscript", "onnx_ir"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    lines = torch.export.Dim("lines", min=1, max=LARGEST_BATCH)
    steps = torch.export.Dim("steps", min=1, max=line_format.max_width_px // STRIDE_PX)
    with warnings.catch_warnings():
        # The exporter's own use of what torch deprecates.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, _example(line_format), path, input_names=["images", "widths"], output_names=["logits"],
            dynamic_shapes={"images": {0: lines, 3: STRIDE_PX * steps}, "widths": {0: lines}},
            opset_version=OPSET, dynamo=True, external_data=False, verbose=False,
        )  # fmt: skip
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def read(images: Tensor, widths: Tensor) -> Tensor:
        (logits,) = session.run(None, {"images": images.numpy(), "widths": widths.numpy()})
        return torch.from_numpy(logits)

    return read


def _write_torchscript(network: nn.Module, path: Path, line_format: LineFormat) -> Reader:
    with warnings.catch_warnings():
        # torch.jit is deprecated in favour of torch.export, which other runtimes cannot load yet.
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(network, _example(line_format), check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(traced, path)
        reader: Reader = torch.jit.load(path)  # type: ignore[no-untyped-call]
    return reader


_WRITERS: dict[Format, Callable[[nn.Module, Path, LineFormat], Reader]] = {
    "onnx": _write_onnx,
    "torchscript": _write_torchscript,
}


def _example(line_format: LineFormat) -> tuple[Tensor, Tensor]:
    widths = torch.tensor([160, 96])
    return torch.rand(2, 1, line_format.height_px, 160), widths


def _batches(crops: Sequence[Image], line_format: LineFormat) -> list[tuple[Tensor, Tensor]]:
    """The lines together, padded to the widest, and each of them alone."""
    lines = [scale_line(crop, line_format) for crop in crops]
    widths = [padded_width(line.shape[1], line_format.bucket_px) for line in lines]
    alone = [
        (torch.from_numpy(stack([line], width)), torch.tensor([width]))
        for line, width in zip(lines, widths, strict=True)
    ]
    return [(torch.from_numpy(stack(lines, max(widths))), torch.tensor(widths)), *alone]


@torch.inference_mode()
def _largest_difference(
    network: nn.Module, reader: Reader, batches: Sequence[tuple[Tensor, Tensor]]
) -> float:
    largest = 0.0
    for images, widths in batches:
        expected, found = network(images, widths), reader(images, widths)
        for row, other, width in zip(expected, found, widths.tolist(), strict=True):
            steps = width // STRIDE_PX
            largest = max(largest, float((row[:steps] - other[:steps]).abs().max()))
    return largest if np.isfinite(largest) else float("inf")
