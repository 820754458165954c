"""The CRNN's convolutions in 8-bit integers, for processors that multiply those faster (VNNI).

Static quantisation after Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference" (2017), by the kernels of oneDNN: weights with a scale for each
output channel, activations with one for each block, from 0 to a peak that was measured on lines
(``training.crnn_peaks``) and travels in the weight's metadata. Sums are whole numbers: what comes of
a line is the same to the last bit, whatever it is batched with.

Letters are those of :mod:`deployments.recognition.crnn_network`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from deployments.recognition.crnn_network import ConvBlock, CrnnFeatures
from deployments.recognition.preprocess import INK_MAX, INK_MIN
from deployments.weights import Weights, WeightsError

PEAKS = "activation_peaks"
"""Key of the metadata: the greatest activation of each block, in the order of the blocks."""

_LEVELS = 255
_WEIGHT_LEVELS = 127
_VNNI = ("avx512_vnni", "avx_vnni")


def is_supported() -> bool:
    """Whether the processor adds 8-bit products without loss; older ones cut the sums of pairs at 16 bits."""
    capabilities = torch.cpu.get_capabilities()
    has_onednn = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
    return has_onednn and any(capabilities.get(name, False) for name in _VNNI)


def peaks_of(weights: Weights, network: CrnnFeatures) -> tuple[float, ...]:
    """The peaks in a weight's metadata; none where they were not measured.

    Raises:
        deployments.weights.WeightsError: they are not one positive number for each block.
    """
    if PEAKS not in weights.metadata:
        return ()
    blocks = len(blocks_of(network))
    try:
        peaks = tuple(float(peak) for peak in weights.metadata[PEAKS])
    except (TypeError, ValueError):
        peaks = ()
    if len(peaks) != blocks or not all(0 < peak < math.inf for peak in peaks):
        raise WeightsError(f"weights {weights.reference!r}: {PEAKS} must be {blocks} positive numbers")
    return peaks


def blocks_of(network: nn.Module) -> list[ConvBlock]:
    """The convolutional blocks of a network, or of a part of it, in their order."""
    return [block for block in network.modules() if isinstance(block, ConvBlock)]


class Int8Convolutions:
    """What :meth:`CrnnFeatures.convolve` does, in whole numbers.

    Args:
        network: fused, on the CPU, in float32.
        peaks: as of :func:`peaks_of`.
        dtype: of what comes out.
    """

    def __init__(self, network: CrnnFeatures, peaks: Sequence[float], dtype: torch.dtype) -> None:
        # Ink is below 0 where paper is lighter than most; activations begin at 0 (ReLU).
        self._step = (INK_MAX - INK_MIN) / _LEVELS
        self._zero = round(-INK_MIN / self._step)
        steps = [peak / _LEVELS for peak in peaks]
        inputs = iter([(self._step, self._zero), *((step, 0) for step in steps)])
        # The last block gives real numbers to the LSTMs.
        outputs = iter([*((step, 0, torch.uint8) for step in steps[:-1]), (1.0, 0, dtype)])
        self._stages = [
            ([_Int8Block(block, next(inputs), next(outputs)) for block in blocks_of(stage)], pool)
            for stage, pool in zip(network.stages, network.pools, strict=True)
        ]

    def __call__(self, images: Tensor, widths: Tensor | None = None) -> Tensor:
        """Ink ``(N, 1, H, W)`` to ``(N, C, H / 16, T)``; arguments as of :meth:`CrnnNetwork.forward`."""
        full = images.shape[-1]
        own = None if widths is None else widths.tolist()
        x = (images / self._step + self._zero).round_().clamp_(0, _LEVELS).to(torch.uint8)
        for blocks, pool in self._stages:
            for block in blocks:
                x = _blank_beyond(block(x), own, full)
            x = _pooled(x, pool)
        return x


class _Int8Block:
    """A :class:`ConvBlock` between tensors of the given ``(step, zero)`` and ``(step, zero, dtype)``."""

    def __init__(
        self, block: ConvBlock, taken: tuple[float, int], given: tuple[float, int, torch.dtype]
    ) -> None:
        conv = block.conv
        assert conv.bias is not None, "quantise a fused network"
        weight = conv.weight.detach().float()
        self._scales = weight.abs().amax((1, 2, 3)).clamp_min(1e-12) / _WEIGHT_LEVELS
        self._zeros = torch.zeros(len(weight), dtype=torch.int64)
        self._bias = conv.bias.detach().float()
        self._geometry = (list(conv.stride), [1, 1], [1, 1], 1)
        levels = (weight / self._scales[:, None, None, None]).round().to(torch.int8)
        self._weight = torch.ops.onednn.qconv_prepack(levels, self._scales, *taken, *self._geometry, None)
        self._taken, self._given = taken, given

    def __call__(self, x: Tensor) -> Tensor:
        of_weight = (self._weight, self._scales, self._zeros, self._bias)
        y: Tensor = torch.ops.onednn.qconv_pointwise(
            x, *self._taken, *of_weight, *self._geometry, *self._given, "relu", [], ""
        )
        return y


def _blank_beyond(x: Tensor, own: Sequence[int] | None, full_width: int) -> Tensor:
    """Zero, in place, the columns right of each line's own width; ``full_width`` is W at the input."""
    columns = x.shape[-1]
    for line, width in zip(x, own or (), strict=own is not None):
        line[..., width * columns // full_width :].zero_()
    return x


def _pooled(x: Tensor, pool: nn.Module) -> Tensor:
    """``pool``, which torch has for other types than ``uint8`` only."""
    if not isinstance(pool, nn.MaxPool2d):
        return x
    rows, columns = pool.kernel_size if isinstance(pool.kernel_size, tuple) else (pool.kernel_size,) * 2
    for axis, size in ((2, rows), (3, columns)):
        if size == 2:
            x = torch.maximum(*x.reshape(*x.shape[:axis], -1, 2, *x.shape[axis + 1 :]).unbind(axis + 1))
    return x
