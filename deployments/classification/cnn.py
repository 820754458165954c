"""Handwritten or printed by a small convolutional network on grey line crops.

Pixels are first folded into channels (a quarter of the height and of the width), since a
convolution of one channel at 128 x 512 would cost more than all the rest. An encoder of separable
convolutions follows (Howard et al., MobileNets, 2017); mean and peak of its last map feed a
linear classifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from pydantic import BaseModel, ConfigDict, Field
from safetensors.torch import load_file
from torch import Tensor, nn

from deployments.classification.config import ClassificationArgs
from deployments.classification.crop_engine import CropEngine
from deployments.classification.preprocess import Box, InputSpec
from deployments.classification.scores import Scores, calibrated_temperature
from deployments.engine import Prepared
from deployments.precision import Precision, select_device
from deployments.soundness import require_finite
from deployments.weights import TENSORS, Weights, WeightsError, resolve


class CnnArchitecture(BaseModel):
    """Constructor arguments of :class:`KindNet`, as the metadata of a weight holds them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: int = Field(1, description="of the input")
    fold: int = Field(4, description="side of the pixel square that becomes channels")
    widths: tuple[int, ...] = Field((32, 64, 128), description="channels of each stage; each halves the size")
    depths: tuple[int, ...] = Field((0, 2, 2), description="residual blocks of each stage")
    dropout: float = Field(0.1, ge=0, lt=1)


def fold_pixels(x: Tensor, side: int) -> Tensor:
    """``(N, C, H, W)`` to ``(N, side * side * C, H / side, W / side)`` in channels-last memory.

    ``torch.nn.PixelUnshuffle`` does the same to planes, and the copy to channels-last that
    follows costs twice as much again.
    """
    batch, channels, height, width = x.shape
    squares = x.permute(0, 2, 3, 1).reshape(batch, height // side, side, width // side, side * channels)
    folded = squares.transpose(2, 3).reshape(batch, height // side, width // side, side * side * channels)
    return folded.permute(0, 3, 1, 2)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


class _Block(nn.Module):
    """Depthwise 5x5, then two pointwise convolutions with a widening of two, around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spatial = _conv(width, width, 5, groups=width)
        self.widen = _conv(width, 2 * width, 1)
        self.narrow = _conv(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrow(torch.relu(self.widen(self.spatial(x))))  # type: ignore[no-any-return]


class KindNet(nn.Module):
    """``float (N, C, H, W)`` to scores ``(N, 2)`` in the order of ``scores.KINDS``."""

    def __init__(self, architecture: CnnArchitecture) -> None:
        super().__init__()
        self.fold = architecture.fold
        layers: list[nn.Module] = []
        inputs = architecture.channels * architecture.fold**2
        for width, depth in zip(architecture.widths, architecture.depths, strict=True):
            layers += [_conv(inputs, width, 3, 2), nn.ReLU()]
            layers += [_Block(width) for _ in range(depth)]
            inputs = width
        self.encoder = nn.Sequential(*layers)
        self.dropout = nn.Dropout(architecture.dropout)
        self.classifier = nn.Linear(2 * inputs, 2)

    def forward(self, x: Tensor) -> Tensor:
        features = self.encoder(fold_pixels(x, self.fold))
        pooled = torch.cat([features.mean((2, 3)), features.amax((2, 3))], dim=1)
        return self.classifier(self.dropout(pooled))  # type: ignore[no-any-return]


def fuse_batch_norms(model: nn.Module) -> None:
    """Fold every normalisation into the convolution before it, in place; evaluation mode only."""
    for module in model.modules():
        if isinstance(module, nn.Sequential):
            children = list(module.named_children())
            for (name, first), (next_name, second) in pairwise(children):
                if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                    setattr(module, name, torch.nn.utils.fusion.fuse_conv_bn_eval(first, second))
                    setattr(module, next_name, nn.Identity())


def load(weights: Weights) -> tuple[KindNet, InputSpec]:
    """The network of a weight, and the input it was trained on; raises WeightsError."""
    if not {"input", "architecture"} <= weights.metadata.keys():
        raise WeightsError(
            f"weights {weights.reference!r}: metadata.json with input and architecture is missing"
        )
    try:
        model = KindNet(CnnArchitecture.model_validate(weights.metadata["architecture"]))
        model.load_state_dict(load_file(weights.file(TENSORS)))
        return model, InputSpec.model_validate(weights.metadata["input"])
    except (ValueError, RuntimeError) as error:
        raise WeightsError(f"weights {weights.reference!r}: {error}") from error


class CnnEngine(CropEngine):
    """The stage's engine; see :mod:`deployments.engine` for the contract."""

    name = "cnn"

    def __init__(self, args: ClassificationArgs) -> None:
        weights = resolve(args.reference, self.name)
        precision = Precision(select_device(args.device, args.gpu_memory_fraction))
        model, spec = load(weights)
        model.eval()
        fuse_batch_norms(model)
        self._model = model.to(precision.device).to(memory_format=torch.channels_last)
        super().__init__(spec, precision, calibrated_temperature(weights.metadata))

    @torch.inference_mode()
    def forward(self, batch: Sequence[Prepared[Box]]) -> list[Scores]:
        """Scores ``float32 (2,)`` of each crop."""
        with self.precision.autocast():
            scores = self._model(self.normalise([item.payload for item in batch]))
        return list(require_finite(scores.float().cpu().numpy()))
