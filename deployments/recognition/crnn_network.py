"""The CRNN: convolutions, two bidirectional LSTM layers, a CTC head.

After Shi, Bai and Yao, "An End-to-End Trainable Neural Network for Image-based Sequence
Recognition" (2015), narrowed for CPUs. Letters: N lines, H and W pixels, T = W / 4 time steps,
C channels, V symbols with the blank at 0.

A line's output does not depend on what it is batched with: what lies right of its own width is
set to zero after every block, and the backward LSTM starts at the line's own end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

STRIDE_PX = 4
"""Pixels of width per time step."""


@dataclass(frozen=True, slots=True)
class CrnnArchitecture:
    """Constructor arguments of :class:`CrnnNetwork`; travel in the weight's metadata.

    ``channels``: of the four convolutional stages. ``rnn_width``: hidden units of each LSTM
    direction. ``symbols``: V. ``height_px``: a multiple of 16.
    """

    symbols: int
    height_px: int = 32
    channels: tuple[int, int, int, int] = (32, 64, 128, 192)
    rnn_width: int = 128


class ConvBlock(nn.Module):
    """3x3 convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.norm(self.conv(x)), inplace=True)

    def fuse(self) -> None:
        """Fold the normalisation into the convolution; for inference only."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv, self.norm)
            self.norm = nn.Identity()


class BiLstm(nn.Module):
    """One bidirectional LSTM layer over ``(T, N, C)`` that honours each line's own length."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.onward = nn.LSTM(inputs, width)
        self.backward_ = nn.LSTM(inputs, width)

    def forward(self, x: Tensor, reversal: Tensor | None) -> Tensor:
        """``reversal``: rows of ``(T * N, C)`` that reverse each line in place; None: all full."""
        onward = self.onward(x)[0]
        backward = _reverse(self.backward_(_reverse(x, reversal))[0], reversal)
        return torch.cat((onward, backward), dim=-1)


class CrnnFeatures(nn.Module):
    """``(N, 1, H, W)`` ink images to ``(T, N, 2 * rnn_width)`` features in context."""

    def __init__(self, architecture: CrnnArchitecture) -> None:
        super().__init__()
        if architecture.height_px % 16:
            raise ValueError(f"height_px must be a multiple of 16, not {architecture.height_px}")
        self.architecture = architecture
        first, second, third, fourth = architecture.channels
        self.stages = nn.ModuleList(
            [
                nn.ModuleList([ConvBlock(1, first, stride=2), ConvBlock(first, first)]),
                nn.ModuleList([ConvBlock(first, second), ConvBlock(second, second)]),
                nn.ModuleList([ConvBlock(second, third), ConvBlock(third, third)]),
                nn.ModuleList([ConvBlock(third, fourth)]),
            ]
        )
        # Width shrinks to a quarter and no further, so that narrow letters keep steps of their own.
        self.pools = nn.ModuleList(
            [nn.MaxPool2d(2), nn.MaxPool2d((2, 1)), nn.MaxPool2d((2, 1)), nn.Identity()]
        )
        self.columns = nn.Linear(fourth * architecture.height_px // 16, fourth)
        width = architecture.rnn_width
        self.rnn = nn.ModuleList([BiLstm(fourth, width), BiLstm(2 * width, width)])

    def forward(self, images: Tensor, widths: Tensor | None = None) -> Tensor:
        """Features of a batch; arguments as of :meth:`CrnnNetwork.forward`."""
        return self.in_context(self.convolve(images, widths), widths)

    def in_context(self, x: Tensor, widths: Tensor | None = None) -> Tensor:
        """Columns ``(N, C, H / 16, T)`` to features in the context of their lines."""
        n, channels, rows, steps = x.shape
        x = x.permute(3, 0, 1, 2).reshape(steps, n, channels * rows)
        x = functional.relu(self.columns(x))
        reversal = None if widths is None else _reversal(widths // STRIDE_PX, steps)
        for layer in self.rnn:
            x = layer(x, reversal)
        return x

    def fuse(self) -> Self:
        """Fold batch normalisation into the convolutions; for inference only. Returns itself."""
        for module in self.modules():
            if isinstance(module, ConvBlock):
                module.fuse()
        return self

    def convolve(self, x: Tensor, widths: Tensor | None = None) -> Tensor:
        """``(N, 1, H, W)`` ink images to columns ``(N, C, H / 16, T)``; zero beyond a line's own width."""
        full = x.shape[-1]
        for stage, pool in zip(self.stages, self.pools, strict=True):
            for block in stage.children():
                x = _blank_beyond(block(x), widths, full)
            x = pool(x)
        return x


class CrnnNetwork(CrnnFeatures):
    """``(N, 1, H, W)`` ink images to ``(N, T, V)`` float32 logits."""

    def __init__(self, architecture: CrnnArchitecture) -> None:
        super().__init__(architecture)
        self.head = nn.Linear(2 * architecture.rnn_width, architecture.symbols)

    def forward(self, images: Tensor, widths: Tensor | None = None) -> Tensor:
        """Read a batch.

        Args:
            images: ``(N, 1, H, W)``, W a multiple of 4, paper 0.
            widths: ``(N,)`` own widths in pixels, multiples of 4; None where all equal W.

        Returns:
            Logits ``(N, T, V)`` float32; steps at and beyond ``widths / 4`` mean nothing.
        """
        return self.read(self.convolve(images, widths), widths)

    def read(self, columns: Tensor, widths: Tensor | None = None) -> Tensor:
        """What :meth:`forward` does after the convolutions, which may be done by other means."""
        logits: Tensor = self.head(self.in_context(columns, widths))
        return logits.float().transpose(0, 1)


def _blank_beyond(x: Tensor, widths: Tensor | None, full_width: int) -> Tensor:
    """Zero the columns right of each line's own width; ``full_width`` is W at the input."""
    if widths is None:
        return x
    own = widths * x.shape[-1] // full_width
    columns = torch.arange(x.shape[-1], device=x.device)
    return x * (columns < own[:, None])[:, None, None, :]


def _reversal(lengths: Tensor, steps: int) -> Tensor:
    """Source rows ``(T * N,)``: taking rows of one long list is faster than gathering single values."""
    step = torch.arange(steps, device=lengths.device)[:, None]
    source = torch.where(step < lengths, lengths - 1 - step, step)
    n = lengths.shape[0]  # not len(), which an exported network would keep as a constant
    return (source * n + torch.arange(n, device=lengths.device)).reshape(-1)


def _reverse(x: Tensor, reversal: Tensor | None) -> Tensor:
    if reversal is None:
        return x.flip(0)
    return x.flatten(0, 1).index_select(0, reversal).reshape(x.shape)
